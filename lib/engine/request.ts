// What a caller asked for: one or more sequences, where the result goes, and when things happened.
import type { Sequence } from './sequence.ts'

export interface Timings {
  /** From the call to the first step that computes it, tokenising included. */
  queueMs: number
  /** From the call to the first token. queueMs + prefillMs. */
  ttftMs: number
  /** From the first step to the first token. */
  prefillMs: number
  /** From the first token to the last. */
  decodeMs: number
}

/** Where the result of a request goes. Exactly one of the two is called, once. */
export interface Outcome<T> {
  resolve(result: T): void
  reject(error: unknown): void
}

export abstract class Request<T> {
  readonly sequences: Sequence[] = []
  private open = 0 // sequences that are not over
  private scheduledAt = 0
  private firstAt = 0
  private lastAt = 0

  /** `createdAt`: performance.now() of the call. */
  constructor(
    private readonly outcome: Outcome<T>,
    private readonly createdAt = performance.now(),
  ) {}

  protected abstract result(): T

  protected addSequence(seq: Sequence): void {
    this.sequences.push(seq)
    this.open++
  }

  /** Its first tokens go to the device now. */
  scheduled(): void {
    this.scheduledAt ||= performance.now()
  }

  /** A result has come back. True for the first. */
  progressed(now: number): boolean {
    const first = this.firstAt === 0
    if (first) this.firstAt = now
    this.lastAt = now
    return first
  }

  /** One of its sequences is over; with the last one the result goes to the caller. True then. */
  ended(): boolean {
    if (--this.open > 0) return false
    this.outcome.resolve(this.result())
    return true
  }

  /** Ends early with what is there. */
  interrupt(): void {
    for (const seq of this.sequences) seq.interrupt()
    this.outcome.resolve(this.result())
  }

  fail(error: unknown): void {
    this.outcome.reject(error)
  }

  /** Milliseconds, all from the same clock. What has not happened yet counts as now. */
  timings(): Timings {
    const now = performance.now()
    const scheduled = this.scheduledAt || now
    const first = this.firstAt || now
    return {
      queueMs: scheduled - this.createdAt,
      ttftMs: first - this.createdAt,
      prefillMs: first - scheduled,
      decodeMs: (this.lastAt || now) - first,
    }
  }
}

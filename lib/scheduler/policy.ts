// Who goes first, and who gives way. A policy keeps the waiting in its order and answers the scheduler's questions; the
// scheduler alone moves memory. The class below is first come, first served with no idea of time; a policy overrides
// what it sees differently.
import type { Outlook } from './outlook.ts'
import type { Scheduled } from './scheduled.ts'
import type { StepTime } from './step-time.ts'

export class Policy<S extends Scheduled = Scheduled> {
  readonly name: string = 'fcfs'
  /** False: a step has prompts or streams, never both. */
  readonly mixes: boolean = true
  /** A sequence that had to give way so often never has to again: then it holds all memory that it can ever need. */
  readonly mostPreemptions: number = 3
  protected line: S[] = []

  /** The waiting, in no particular order. */
  waiting(): Iterable<S> {
    return this.line
  }

  get size(): number {
    return this.line.length
  }

  /** `seq` arrives; its first `cached` tokens need not be computed, as far as one can say now. */
  push(seq: S, _time: StepTime, _cached: number): void {
    this.line.push(seq)
  }

  /** `seq` had to give way, and is first in line when there is room. */
  putBack(seq: S): void {
    this.line.unshift(seq)
  }

  /** `seq` leaves the line. */
  remove(seq: S): void {
    const place = this.line.indexOf(seq)
    if (place >= 0) this.line.splice(place, 1)
  }

  /** Who of the waiting starts first. */
  next(_now: number): S | undefined {
    return this.line[0]
  }

  /** True when `a`, which is new, belongs before `b` among the running: memory goes to the first, from the last. */
  outranks(_a: S, _b: S): boolean {
    return false
  }

  /** True when `a`, which waits, starts before the prompt of `b` goes on. */
  overtakes(_a: S, _b: S): boolean {
    return false
  }

  /** True when `a` may start at all, beside what the step has. */
  mayStart(_a: S, _step: Outlook, _time: StepTime): boolean {
    return true
  }

  /** True when the running `b` gives up slot and pages for `a`, which waits. */
  yields(_b: S, _a: S): boolean {
    return false
  }

  /** Which of running[from …] gives up its pages for one before it; −1 for none. */
  victim(running: readonly S[], from: number): number {
    for (let i = running.length - 1; i >= from; i--) if (this.mayGiveWay(running[i]!)) return i
    return -1
  }

  /** True when a stream can wait for the next step. */
  skips(_seq: S, _step: Outlook, _time: StepTime): boolean {
    return false
  }

  /** Milliseconds that the step may take, prompts included. */
  stepMs(_step: Outlook): number {
    return Infinity
  }

  /** Of the cache's pages, how many stay free when somebody starts, for those who run. */
  reserve(_running: readonly S[], _pages: number): number {
    return 0
  }

  /** `seq` gets `tokens` tokens computed. */
  serves(_seq: S, _tokens: number): void {}

  mayGiveWay(seq: S): boolean {
    return seq.state === 'running' && seq.preemptions < this.mostPreemptions
  }
}

// Swap: a page that a pre-empted sequence comes back for, and that has to make room, is copied to a place outside the KV
// cache and back into a fresh page later, where both copies together take less time than computing its tokens again. The
// model of time says so (step-time.ts, copy-time.ts). Copies run on the device, in order with the steps: no fence is
// needed for what they read or overwrite.
import { BlockAllocator, PAGE_TOKENS } from '../cache/block-allocator.ts'
import { CopyTime } from './copy-time.ts'
import type { Scheduled } from './scheduled.ts'
import type { StepTime } from './step-time.ts'

/** Copies in one direction, done one after another. */
export interface SwapJob<S = Scheduled> {
  out: boolean
  /** From, to, …: pages, and from the number of pages on places. */
  copies: number[]
  /** Sequences that have all that they wait for when it is done. */
  loaded: S[]
}

export interface SwapOptions {
  /** Pages that there is room for outside. */
  pages: number
  /** Milliseconds that copying a page may take, until one has been copied. */
  guessMs: number
  /** Copy whatever the model of time says. For tests. */
  always?: boolean
}

/** Pages copied so far, and what it took. */
export interface SwapStats {
  /** Pages that there is room for outside the KV cache, and those that are there now. */
  pages: number
  heldPages: number
  outPages: number
  inPages: number
  /** Milliseconds of the device. */
  outMs: number
  inMs: number
  /** A copy failed: from then on everything is computed again. */
  failed: boolean
}

export class Swap {
  readonly places: BlockAllocator
  private jobs: SwapJob<never>[] = []
  private readonly out: CopyTime
  private readonly in: CopyTime
  private readonly counts = { outPages: 0, inPages: 0, outMs: 0, inMs: 0, failed: false }

  constructor(private readonly options: SwapOptions) {
    this.places = new BlockAllocator(options.pages)
    this.out = new CopyTime(options.guessMs)
    this.in = new CopyTime(options.guessMs)
  }

  stats(): SwapStats {
    const { pages, free, cached } = this.places
    return { pages, heldPages: pages - free + cached, ...this.counts }
  }

  get failed(): boolean {
    return this.counts.failed
  }

  /** True when the tokens of a page from `start` on are copied out and in faster than they are computed. */
  worthOut(time: StepTime, start: number): boolean {
    return !this.failed && this.pays(time, start, PAGE_TOKENS, this.out.each + this.in.each)
  }

  /** True when `pages` copied in are there sooner than the tokens [start, end) are computed. */
  worthIn(time: StepTime, start: number, end: number, pages: number): boolean {
    return !this.failed && this.pays(time, start, end - start, pages * this.in.each)
  }

  /** Pages that come back in `ms`, at least one. */
  pagesIn(ms: number): number {
    return Math.max(1, Math.floor(ms / this.in.each))
  }

  /** One more copy, after those before it. */
  copy(out: boolean, from: number, to: number): void {
    this.job(out).copies.push(from, to)
  }

  /** With the last copy `seq` has all that it waits for. */
  loads(seq: Scheduled): void {
    this.job(false).loaded.push(seq as never)
  }

  /** The copies since the last call: to be done before the next step. */
  take<S extends Scheduled>(): SwapJob<S>[] {
    if (this.jobs.length === 0) return this.jobs
    const jobs = this.jobs
    this.jobs = []
    return jobs
  }

  done({ out, copies }: Pick<SwapJob, 'out' | 'copies'>, ms: number): void {
    const pages = copies.length / 2
    const { counts } = this
    if (out) {
      counts.outPages += pages
      counts.outMs += ms
      this.out.observe(pages, ms)
      this.in.suppose(this.out.each) // the way back is as long
    } else {
      counts.inPages += pages
      counts.inMs += ms
      this.in.observe(pages, ms)
    }
  }

  fail(): void {
    this.counts.failed = true
  }

  private pays(time: StepTime, start: number, tokens: number, ms: number): boolean {
    if (this.options.always) return true
    if (!time.ready) return false
    if (ms <= time.tokens(start, tokens)) return true
    this.out.doubt()
    this.in.doubt()
    return false
  }

  private job(out: boolean): SwapJob<never> {
    const last = this.jobs.at(-1)
    if (last?.out === out) return last
    const job = { out, copies: [], loaded: [] }
    this.jobs.push(job)
    return job
  }
}

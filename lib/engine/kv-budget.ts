// How many pages the KV cache may have while memory is short. It gives way in halves, for who waits for memory waits now,
// and takes back at most in quarters, when nothing has been short for a while. Every time that taking back was too early, the
// while doubles.
//
//   short     less than 5 % is free, or somebody waited for memory for more than 10 % of the time
//   calm      more than 15 % would still be free with what is taken back, and nobody waited
import type { MemoryReading } from '../machine/memory-pressure.ts'

const SHORT = { free: 0.05, stalled: 0.1 }
const CALM = { free: 0.15, stalled: 0.01 }
/** Memory that was given back shows in the readings after a moment. */
const SETTLE_MS = 3000
const PATIENCE_MS = 30_000
const MOST_PATIENCE_MS = 16 * PATIENCE_MS
const FORGET_MS = 2 * MOST_PATIENCE_MS

export interface KvPages {
  /** As many as it may have when there is no want. */
  most: number
  /** It never has fewer: one request at full context can always run. */
  least: number
  /** As many as it may have now. */
  now: number
  /** Of them, those that hold memory. */
  resident: number
}

export interface KvChange {
  pages: number
  /** In words, for a log. */
  why: string
}

export class KvBudget {
  private patience = PATIENCE_MS
  private calmSince: number | undefined
  private gaveAt = Number.NEGATIVE_INFINITY
  private tookAt = Number.NEGATIVE_INFINITY

  constructor(private readonly pageBytes: number) {}

  /** What to do after a reading at `at` ms; undefined: nothing. */
  next(
    { limit, free, stalled }: MemoryReading,
    { most, least, now, resident }: KvPages,
    at: number,
  ): KvChange | undefined {
    if (free < SHORT.free * limit || stalled > SHORT.stalled) {
      this.calmSince = undefined
      if (now <= least || at - this.gaveAt < SETTLE_MS) return undefined
      if (at - this.gaveAt > FORGET_MS) this.patience = PATIENCE_MS
      else if (this.tookAt > this.gaveAt) this.patience = Math.min(2 * this.patience, MOST_PATIENCE_MS)
      this.gaveAt = at
      const why =
        stalled > SHORT.stalled ? `${percent(stalled)} of the time waited for memory` : `${percent(free / limit)} free`
      return { pages: Math.max(least, Math.floor(Math.min(now, resident) / 2)), why }
    }
    const missing = most - now
    const fitting = Math.floor((free - CALM.free * limit) / this.pageBytes)
    const more = Math.min(missing, Math.ceil(most / 4), fitting)
    if (missing <= 0 || stalled > CALM.stalled || more < Math.min(missing, most / 16)) {
      this.calmSince = undefined
      return undefined
    }
    this.calmSince ??= at
    if (at - this.calmSince < this.patience) return undefined
    this.calmSince = at
    this.tookAt = at
    return { pages: now + more, why: `${percent(free / limit)} free` }
  }
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`

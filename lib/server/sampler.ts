// What happened in the engine since the last sample, and how it stands now: one sample every 250 ms while somebody
// watches, and nothing at all when nobody does.
import { RETIRED } from '../cache/block-allocator.ts'
import type { EngineObserver, EngineView } from '../engine/observer.ts'
import type { Sequence } from '../engine/sequence.ts'
import type { StepPlan } from '../scheduler/plan.ts'
import { Latencies, round } from './latencies.ts'
import type { ByClass, PageMap, Sample } from './page/wire.ts'
import type { Model } from './shared.ts'

const three = <T>(make: (rank: number) => T): ByClass<T> => [make(0), make(1), make(2)]

export class Sampler implements Partial<EngineObserver> {
  private readonly view: EngineView
  private readonly origin = performance.now()
  private last = this.origin
  private readonly ttft = three(() => new Latencies())
  private readonly tpot = three(() => new Latencies())
  private readonly states: Uint8Array // [pages] as they were at the last sample
  private readonly fresh: Uint8Array
  private readonly tally = new Int32Array(5) // pages that are free, cached, owned, shared, retired
  private steps = 0
  private busyMs = 0
  private prefill = 0
  private decode = 0
  private sequences = 0
  private widest = 0

  constructor(private readonly llm: Model) {
    this.view = llm.watch(this)
    this.states = new Uint8Array(this.view.pageCount)
    this.fresh = new Uint8Array(this.view.pageCount)
  }

  stepped({ chunks }: StepPlan<Sequence>, ms: number): void {
    this.steps++
    this.busyMs += ms
    this.sequences += chunks.length
    this.widest = Math.max(this.widest, chunks.length)
    // A stream's tokens come one by one; all others are of prompts, or computed again after a pre-emption.
    for (const { seq, start, count } of chunks)
      if (count === 1 && start >= seq.promptLength) this.decode++
      else this.prefill += count
  }

  began({ rank, targets }: Sequence, ttftMs: number): void {
    this.ttft[rank]!.add(ttftMs, targets.ttftMs, performance.now())
  }

  ended({ rank, targets, completionTokens }: Sequence, { decodeMs }: { decodeMs: number }): void {
    if (completionTokens < 2) return
    this.tpot[rank]!.add(decodeMs / (completionTokens - 1), targets.tpotMs, performance.now())
  }

  /** The time since the last call, and the pages that have changed in it. */
  take(): { sample: Sample; pages: PageMap } {
    const now = performance.now()
    const { running, waiting } = this.view.queue()
    const { requests, freeSlots, preemptions, prefixCache, swap } = this.llm.stats()
    const pages = this.changes()
    const sample: Sample = {
      at: Math.round(now - this.origin),
      ms: round(now - this.last),
      ...{ steps: this.steps, busyMs: round(this.busyMs), prefill: this.prefill, decode: this.decode },
      batch: this.steps ? round(this.sequences / this.steps) : 0,
      widest: this.widest,
      running: running as ByClass<number>,
      waiting: waiting as ByClass<number>,
      ...{ requests, freeSlots, preemptions, swappedIn: swap?.inPages ?? 0 },
      ...this.counts(),
      hitTokens: prefixCache?.hitTokens ?? 0,
      promptTokens: prefixCache ? prefixCache.hitTokens + prefixCache.evictedTokens + prefixCache.newTokens : 0,
      ttft: three((rank) => this.ttft[rank]!.at(now)),
      tpot: three((rank) => this.tpot[rank]!.at(now)),
    }
    this.last = now
    this.steps = this.busyMs = this.prefill = this.decode = this.sequences = this.widest = 0
    return { sample, pages }
  }

  /** The pages as they were at the last sample. */
  map(): PageMap {
    return { all: Buffer.from(this.states).toString('base64') }
  }

  close(): void {
    this.view.close()
  }

  private changes(): PageMap {
    const { states, fresh, tally } = this
    this.view.pages(fresh)
    tally.fill(0)
    const changed: number[] = []
    for (let page = 0; page < fresh.length; page++) {
      const state = fresh[page]!
      tally[state === RETIRED ? 4 : Math.min(state, 3)]!++
      if (state === states[page]) continue
      changed.push(page, state)
      states[page] = state
    }
    return { changed }
  }

  private counts() {
    const { tally } = this
    return { free: tally[0]!, cached: tally[1]!, owned: tally[2]!, shared: tally[3]!, retired: tally[4]! }
  }
}

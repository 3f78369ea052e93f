// Who wants to see the engine at work: the page and the metrics of `kvasir serve`. With nobody watching, nothing here costs
// anything; with somebody, a call a step and two an answer.
import type { StepPlan } from '../scheduler/plan.ts'
import { PRIORITIES } from '../scheduler/service.ts'
import type { KvPages } from './kv-budget.ts'
import type { Timings } from './request.ts'
import type { Sequence } from './sequence.ts'

/** Told between steps, so whatever it does must be quick. What it throws is ignored. It may have some of the methods. */
export interface EngineObserver {
  /** A step has run and took `ms` of the device's time. */
  stepped(plan: StepPlan<Sequence>, ms: number): void
  /** The first token of an answer is there, `ttftMs` after the call. */
  began(seq: Sequence, ttftMs: number): void
  /** An answer is complete. */
  ended(seq: Sequence, timings: Timings): void
  /** The KV cache gave way because memory is short, or took back; `why` in words. */
  resized(pages: KvPages, why: string): void
}

/** Sequences by class, in the order of PRIORITIES: interactive, standard, batch. */
export interface Queue {
  running: number[]
  waiting: number[]
}

/** What an observer may ask, a few times a second: each question looks at everything there is. */
export interface EngineView {
  queue(): Queue
  /** Pages of the KV cache, the retired ones included. */
  readonly pageCount: number
  /** Writes the state of every page into `states`; see BlockAllocator.states(). */
  pages(states: Uint8Array): void
  /** Ends the watching. */
  close(): void
}

/** The observers of an engine. One that throws is none of the engine's trouble. */
export class Observers {
  private readonly all = new Set<Partial<EngineObserver>>()
  /** Nobody wants to hear of steps and answers, so nobody need be told. */
  none = true

  add(observer: Partial<EngineObserver>): () => void {
    const changed = () => {
      this.none = ![...this.all].some(({ stepped, began, ended }) => stepped || began || ended)
    }
    this.all.add(observer)
    changed()
    return () => {
      this.all.delete(observer)
      changed()
    }
  }

  tell(what: (observer: Partial<EngineObserver>) => void): void {
    for (const observer of this.all) {
      try {
        what(observer)
      } catch {
        // An observer's own business.
      }
    }
  }
}

export function byClass(sequences: Iterable<Sequence>): number[] {
  const counts = PRIORITIES.map(() => 0)
  for (const { rank } of sequences) counts[rank]!++
  return counts
}

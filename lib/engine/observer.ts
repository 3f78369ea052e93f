// Who wants to see the engine at work: the page and the metrics of `kvasir serve`. With nobody watching, nothing here costs
// anything; with somebody, a call a step and two an answer.
import type { StepPlan } from '../scheduler/plan.ts'
import { PRIORITIES } from '../scheduler/service.ts'
import type { Timings } from './request.ts'
import type { Sequence } from './sequence.ts'

/** Told between steps, so whatever it does must be quick. What it throws is ignored. */
export interface EngineObserver {
  /** A step has run and took `ms` of the device's time. */
  stepped(plan: StepPlan<Sequence>, ms: number): void
  /** The first token of an answer is there, `ttftMs` after the call. */
  began(seq: Sequence, ttftMs: number): void
  /** An answer is complete. */
  ended(seq: Sequence, timings: Timings): void
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
  private readonly all = new Set<EngineObserver>()

  add(observer: EngineObserver): () => void {
    this.all.add(observer)
    return () => void this.all.delete(observer)
  }

  tell(what: (observer: EngineObserver) => void): void {
    for (const observer of this.all) {
      try {
        what(observer)
      } catch {
        // An observer's own business.
      }
    }
  }

  get none(): boolean {
    return this.all.size === 0
  }
}

export function byClass(sequences: Iterable<Sequence>): number[] {
  const counts = PRIORITIES.map(() => 0)
  for (const { rank } of sequences) counts[rank]!++
  return counts
}

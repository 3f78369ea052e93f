// Who of the waiting starts, and what it gets: slots, a claim on pages for all of its tokens, and what the prefix cache has of them,
// inside the KV cache or outside.
import { pagesFor } from '../cache/block-allocator.ts'
import type { Budget } from './budget.ts'
import type { Capacity } from './capacity.ts'
import type { Loading } from './loading.ts'
import type { Outlook } from './outlook.ts'
import type { StepPlan } from './plan.ts'
import type { Policy } from './policy.ts'
import type { Room } from './room.ts'
import type { Scheduled } from './scheduled.ts'
import type { StepTime } from './step-time.ts'

export class Admission<S extends Scheduled> {
  /** Sequences that waited past their deadline. */
  expired: S[] = []
  private opened: S[] = [] // sequences that got their slots, and had no step yet

  constructor(
    private readonly capacity: Capacity,
    private readonly policy: Policy<S>,
    private readonly room: Room<S>,
    private readonly loading: Loading<S> | undefined,
  ) {}

  /** Who of the waiting starts next in a step of this program, if anybody may. */
  candidate({ program }: StepPlan<S>, outlook: Outlook, time: StepTime): S | undefined {
    for (;;) {
      const seq = this.policy.next(outlook.now)
      if (!seq) return undefined
      if (seq.deadline < outlook.now && seq.preemptions === 0) {
        this.policy.remove(seq)
        this.expired.push(seq)
        continue
      }
      // The slots that it waits for may be those of others that wait: they go first.
      const first = this.capacity.lacks(seq).slots > 0 ? (this.room.parked.values().next().value ?? seq) : seq
      // A pre-empted sequence is computed again from its ids, so the last one must have come back.
      if (first.program !== program || first.known < first.length) return undefined
      return this.policy.mayStart(first, outlook, time) ? first : undefined
    }
  }

  /** Tokens of `seq` that the step computes, 0 when its pages come back first; undefined when it cannot start. */
  start(seq: S, budget: Budget<S>, running: readonly S[]): number | undefined {
    const { capacity, policy } = this
    // Who gave way too often gets all that it will ever need.
    const tokens = seq.preemptions < policy.mostPreemptions ? seq.length : Math.max(seq.length, seq.mostCached)
    if (budget.spent) return undefined
    if (!capacity.admit(seq, tokens, policy.reserve(running, capacity.blocks.budget))) {
      this.room.pressed = seq
      return undefined
    }
    const back = this.loading && capacity.prefixes?.bringBack(seq)
    const count = back ? 0 : budget.chunk(seq)
    if (count === 0 && !back) {
      capacity.withdraw(seq)
      return undefined
    }
    policy.remove(seq)
    this.room.parked.delete(seq)
    capacity.prefixes?.start(seq, back ? back.tokens : seq.computed)
    capacity.promise(seq, tokens)
    seq.firstStep = budget.plan.step
    if (seq.slot < 0)
      for (const one of [seq, ...seq.forks]) {
        capacity.takeSlot(one)
        this.opened.push(one)
      }
    if (back) {
      capacity.reserve(seq, seq.computed, back.tokens, budget.plan.copies)
      policy.serves(seq, back.tokens - seq.computed) // what comes back counts like what is computed again
      this.loading!.begin(seq, back.nodes, pagesFor(seq.computed), back.tokens)
    }
    return count
  }

  /** The samplers of these are set before the step. */
  open(plan: StepPlan<S>): void {
    if (this.opened.length > 0) plan.opened.push(...this.opened.splice(0).filter(({ slot }) => slot >= 0))
  }
}

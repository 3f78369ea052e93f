// Pre-emption: a running sequence gives up its pages, and its slot if it can, and comes back later: what is left of it in
// the prefix cache, or was swapped out, is its own again, and the rest is computed again. For a stream that needs a page,
// or for a request of a higher class that finds no room to start.
import type { Capacity } from './capacity.ts'
import type { StepPlan } from './plan.ts'
import type { Policy } from './policy.ts'
import type { Scheduled } from './scheduled.ts'

export class Room<S extends Scheduled> {
  /** Sequences that gave way and kept their slots. */
  readonly parked = new Set<S>()
  /** Found no room in the last step. */
  pressed: S | undefined
  /** Sequences that gave way, ever. */
  preemptions = 0

  constructor(
    private readonly capacity: Capacity,
    private readonly policy: Policy<S>,
  ) {}

  /** Pre-empts until `pages` are free for running[i]. False when they are not, or only when steps in flight have run. */
  makeRoom(running: S[], i: number, pages: number, draining: boolean, plan: StepPlan<S>): boolean {
    while (this.capacity.blocks.free < pages) {
      if (draining || this.capacity.awaits(pages)) return false
      const victim = this.policy.victim(running, i + 1)
      if (victim < 0) return this.capacity.spareCopy(running[i]!)
      this.preempt(running, running[victim]!, plan)
    }
    return true
  }

  /** For the one who found no room: those who yield to it give up theirs, if that is enough. */
  makeWay(running: S[], now: number, plan: StepPlan<S>): void {
    const seq = this.pressed
    this.pressed = undefined
    if (seq?.state !== 'waiting' || this.policy.next(now) !== seq) return
    let { pages, slots } = this.capacity.lacks(seq)
    const victims: S[] = []
    for (let i = running.length - 1; i >= 0 && (pages > 0 || slots > 0); i--) {
      const victim = running[i]!
      if (!this.policy.yields(victim, seq) || (pages <= 0 && victim.settled)) continue
      victims.push(victim)
      pages -= victim.blocks.count + victim.promised
      if (!victim.settled) slots -= 1 + victim.forks.length
    }
    if (pages <= 0 && slots <= 0) for (const victim of victims) this.preempt(running, victim, plan)
  }

  private preempt(running: S[], seq: S, plan: StepPlan<S>): void {
    running.splice(running.lastIndexOf(seq), 1)
    seq.preemptions++
    this.preemptions++
    this.backInLine(seq)
    plan.preempted.push(seq)
  }

  /** `seq` gives up what it has and waits again. */
  backInLine(seq: S): void {
    this.capacity.prefixes?.park(seq)
    this.capacity.release(seq, seq.settled)
    if (seq.settled) this.parked.add(seq)
    // Answers that have not begun: no step has used their slots.
    else for (const fork of seq.forks) this.capacity.release(fork, false)
    seq.computed = 0
    seq.state = 'waiting'
    this.policy.putBack(seq)
  }
}

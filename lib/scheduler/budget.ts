// What a step has left: tokens, rows and milliseconds.
import type { Limits } from './limits.ts'
import type { StepPlan } from './plan.ts'
import type { Scheduled } from './scheduled.ts'
import type { StepTime } from './step-time.ts'

/** A prompt gets at least so many tokens of a step, however little time is left: it must end some day. */
const LEAST_CHUNK = 16

export class Budget<S extends Scheduled> {
  private readonly streams: number // tokens of streams; all that come later are of prompts

  constructor(
    readonly plan: StepPlan<S>,
    private readonly limits: Limits,
    private readonly time: StepTime,
    /** Milliseconds that the step may take. */
    private readonly ms: number,
    /** More than one sequence wants something. */
    private readonly others: boolean,
  ) {
    this.streams = plan.tokens
  }

  /** True when there is no time for another prompt. */
  get spent(): boolean {
    return this.plan.tokens > this.streams && this.timeLeft() <= 0
  }

  /** Tokens that the next chunk of `seq` may have. */
  chunk(seq: S): number {
    const count = Math.min(seq.length - seq.computed, this.limits.maxTokens - this.plan.tokens)
    if (this.ms === Infinity) return this.rowsFor(seq, count)
    const fits = this.time.fit(this.timeLeft(), seq.computed)
    // The first prompt of a step goes on, however long its streams take.
    const least = this.plan.tokens > this.streams ? 0 : LEAST_CHUNK
    return this.rowsFor(seq, Math.min(count, Math.max(fits, least)))
  }

  /** How many of the next `count` tokens of `seq` have room for their rows. */
  rowsFor(seq: S, count: number): number {
    const rows = this.limits.maxRows - this.plan.rows.length
    if (seq.work === 'embed') return count
    // Half of the rows left, unless it is alone: a long text must not keep newer answers waiting for one.
    if (seq.work === 'score') return Math.min(count, this.others ? Math.ceil(rows / 2) : rows)
    return count === seq.length - seq.computed && rows < 1 + seq.forks.length ? count - 1 : count
  }

  private timeLeft(): number {
    return this.ms === Infinity ? Infinity : this.ms - this.time.predict(this.plan.work())
  }
}

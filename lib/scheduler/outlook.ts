// What of a step is planned when a policy is asked something.
import type { Scheduled } from './scheduled.ts'
import { PRIORITIES } from './service.ts'
import type { StepTime } from './step-time.ts'

export class Outlook {
  now = 0
  /** Milliseconds that the step is expected to take so far; 0 while the model of time is not ready. */
  ms = 0
  /** How many times longer than that the last few steps took. */
  slowness = 1
  /** Streams that get their next token in it. */
  streams = 0
  /** The shortest of their tpotMs. */
  tpotMs = Infinity
  /** `ms` when the streams of each rank, and of those before it, were planned. */
  readonly msByRank = PRIORITIES.map(() => 0)
  /** When the first of the interactive prompts that have begun should have begun. */
  due = Infinity

  /** Nothing is planned yet. */
  reset(time: StepTime): void {
    this.ms = time.ready ? time.empty : 0
    this.slowness = time.slowness
    this.streams = 0
    this.tpotMs = Infinity
    this.due = Infinity
    this.msByRank.fill(this.ms)
  }

  /** A prompt that has begun wants to go on. */
  prompt(seq: Scheduled): void {
    if (seq.rank === 0 && seq.due < this.due) this.due = seq.due
  }

  /** A stream gets its next token. */
  stream(seq: Scheduled, time: StepTime): void {
    this.streams++
    if (seq.targets.tpotMs < this.tpotMs) this.tpotMs = seq.targets.tpotMs
    if (time.ready) this.ms += time.decode(seq.length)
    for (let rank = seq.rank; rank < this.msByRank.length; rank++) this.msByRank[rank] = this.ms
  }
}

// What one step computes. Made by the scheduler, written as integers by lib/engine/step.ts, read back with its result.
import { pagesFor } from '../cache/block-allocator.ts'
import type { Scheduled } from './scheduled.ts'
import { pairs, type StepWork } from './step-time.ts'

/** Tokens [start, start + count) of a sequence. */
export interface Chunk<S> {
  seq: S
  start: number
  count: number
}

/** A row whose logits are wanted: the token at `position` of the sequence, `index` in the step. */
export interface Row<S> {
  seq: S
  index: number
  position: number
  /** True: give the probability of the token that follows. False: sample it. */
  scored: boolean
}

export class StepPlan<S extends Scheduled = Scheduled> {
  readonly chunks: Chunk<S>[] = []
  readonly rows: Row<S>[] = []
  /** Page from, page to, …: done before anything else in the step. */
  readonly copies: number[] = []
  /** Sequences that got their slot now: their samplers are set before the step. */
  readonly opened: S[] = []
  readonly preempted: S[] = []
  tokens = 0
  /** Pages of all chunks. */
  blocks = 0
  /** Pairs of a token and one that it sees. */
  attention = 0

  constructor(
    readonly step: number,
    readonly program: number,
  ) {}

  /** Tokens [start, start + count) of `seq` are computed, each with its row where they are scored. */
  add(seq: S, start: number, count: number): void {
    this.chunks.push({ seq, start, count })
    if (seq.work === 'score')
      for (let i = 0; i < count; i++) this.rows.push({ seq, index: this.tokens + i, position: start + i, scored: true })
    this.tokens += count
    this.blocks += pagesFor(start + count)
    this.attention += pairs(start, count)
  }

  /** The token after the last one that was added is sampled for `seq`. */
  sample(seq: S): void {
    this.rows.push({ seq, index: this.tokens - 1, position: seq.computed - 1, scored: false })
  }

  /** What its time depends on. */
  work(): StepWork {
    return { tokens: this.tokens, sequences: this.chunks.length, attention: this.attention, rows: this.rows.length }
  }
}

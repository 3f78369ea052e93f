// One sequence of tokens on its way through the device: what the scheduler counts, and the ids themselves.
import type { NativeSampler } from '../native.ts'
import { Scheduled, type ScheduledOptions } from '../scheduler/scheduled.ts'
import type { Request } from './request.ts'
import type { RowResult } from './step.ts'

export abstract class Sequence extends Scheduled {
  /** Ids sampled after the prompt, as far as they are known. */
  protected readonly sampled: number[] = []
  /** How many were sampled, a final stop token included. */
  completionTokens = 0
  abstract readonly sampler: NativeSampler

  constructor(
    readonly request: Request<unknown>,
    readonly prompt: Int32Array,
    options: ScheduledOptions,
  ) {
    super(options)
  }

  token(position: number): number {
    return position < this.prompt.length ? this.prompt[position]! : this.sampled[position - this.prompt.length]!
  }

  /** Writes tokens [start, end) to words[at …] and returns the place after them. */
  override copyTokens(start: number, end: number, words: Int32Array, at: number): number {
    // An id that is still being sampled is read on the device, from the sequence's slot.
    for (let p = start; p < end; p++) words[at++] = p < this.known ? this.token(p) : -1 - this.slot
    return at
  }

  /** Takes the result of one of its rows; `position` is that of the row's token. True when the sequence is over. */
  abstract take(row: RowResult, position: number): boolean

  /** Takes the pooled vector of the tokens [0, end). True when the sequence is over. */
  takePooled(_vector: Float32Array, _end: number): boolean {
    return false
  }

  /** Ends early with what is there. */
  interrupt(): void {}
}

// The log-probability of every token of a text after its first, given those before it.
import type { NativeSampler } from '../native.ts'
import { plainSampler } from '../sampling/params.ts'
import type { Service } from '../scheduler/service.ts'
import { type Outcome, Request } from './request.ts'
import { Sequence } from './sequence.ts'
import type { RowResult } from './step.ts'

export interface ScoreSpec {
  /** At least two. */
  ids: Int32Array
  program: number
  service?: Service
  createdAt?: number
}

export class ScoreRequest extends Request<Float32Array> {
  private readonly text: ScoredText

  /** The result has ids.length − 1 natural logarithms. */
  constructor(outcome: Outcome<Float32Array>, spec: ScoreSpec) {
    super(outcome, spec.createdAt)
    this.text = new ScoredText(this, spec)
    this.addSequence(this.text)
  }

  protected override result(): Float32Array {
    return this.text.logprobs
  }
}

class ScoredText extends Sequence {
  readonly sampler: NativeSampler = plainSampler()
  readonly logprobs: Float32Array

  constructor(owner: ScoreRequest, { ids, program, service = {} }: ScoreSpec) {
    // The last token is only predicted, never computed. All others have rows: none may come from the prefix cache.
    super(owner, ids, { work: 'score', program, length: ids.length - 1, limit: ids.length - 1, service })
    this.logprobs = new Float32Array(ids.length - 1)
  }

  override take(row: RowResult, position: number): boolean {
    this.logprobs[position] = row.logprob
    return position === this.logprobs.length - 1
  }
}

// One vector for a text: the mean of the last layer over its tokens, or its value at the last token.
import type { NativeSampler } from '../native.ts'
import { plainSampler } from '../sampling/params.ts'
import type { Service } from '../scheduler/service.ts'
import { type Outcome, Request } from './request.ts'
import { Sequence } from './sequence.ts'

export type Pooling = 'mean' | 'last'

export interface EmbedSpec {
  ids: Int32Array
  /** The program whose result is pooled in this way. */
  program: number
  pooling: Pooling
  normalize: boolean
  service?: Service
  createdAt?: number
}

export class EmbedRequest extends Request<Float32Array> {
  private readonly text: EmbeddedText

  constructor(
    outcome: Outcome<Float32Array>,
    private readonly spec: EmbedSpec,
  ) {
    super(outcome, spec.createdAt)
    this.text = new EmbeddedText(this, spec)
    this.addSequence(this.text)
  }

  protected override result(): Float32Array {
    const vector = this.text.vector
    if (this.spec.pooling === 'mean') scale(vector, 1 / this.spec.ids.length)
    if (this.spec.normalize) scale(vector, 1 / (norm(vector) || 1))
    return vector
  }
}

class EmbeddedText extends Sequence {
  readonly sampler: NativeSampler = plainSampler()
  vector: Float32Array = new Float32Array()

  constructor(owner: EmbedRequest, { ids, program, pooling, service = {} }: EmbedSpec) {
    super(owner, ids, {
      ...{ work: 'embed', program, length: ids.length, limit: ids.length, service },
      // The mean is over all tokens, so all are computed; the last token's value alone may stand on cached ones.
      ...(pooling === 'last' && { salt: service.tenant ?? '' }),
    })
  }

  override take(): boolean {
    return false
  }

  override takePooled(vector: Float32Array, end: number): boolean {
    if (end < this.prompt.length) return false
    this.vector = vector
    return true
  }
}

function scale(vector: Float32Array, factor: number): void {
  for (let i = 0; i < vector.length; i++) vector[i]! *= factor
}

function norm(vector: Float32Array): number {
  let sum = 0
  for (const x of vector) sum += x * x
  return Math.sqrt(sum)
}

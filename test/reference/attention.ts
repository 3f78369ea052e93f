// softmax(q·Kᵀ·scale)·V for one query head, in double precision. With kv8 the query is quantised as the kernel does it
// and the keys and values are what the cache holds.
import { quantize } from './numbers.ts'

/** keys and values: [context][dim], already as numbers; visible are tokens first … position. */
export function attend(
  q: Float32Array,
  keys: Float64Array[],
  values: Float64Array[],
  position: number,
  window: number,
  scale: number,
  quantised: boolean,
): Float64Array {
  const dim = q.length
  let query: number[] = Array.from(q)
  if (quantised) {
    const { q: q8, scale: step } = quantize(q)
    query = Array.from(q8, (v) => v * step)
  }
  const first = window > 0 ? Math.max(0, position - window + 1) : 0
  const scores: number[] = []
  for (let t = first; t <= position; t++) {
    let sum = 0
    for (let d = 0; d < dim; d++) sum += query[d]! * keys[t]![d]!
    scores.push(sum * scale)
  }
  const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const weights = scores.map((s) => Math.exp(s - max))
  const total = weights.reduce((a, b) => a + b, 0)
  const y = new Float64Array(dim)
  for (let t = first; t <= position; t++)
    for (let d = 0; d < dim; d++) y[d]! += (weights[t - first]! / total) * values[t]![d]!
  return y
}

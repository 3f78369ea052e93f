// The distribution that a row is drawn from, by sorting the whole vocabulary in double precision.

export interface Sampler {
  temperature: number
  topK?: number
  topP?: number
  minP?: number
  repetitionPenalty?: number
  frequencyPenalty?: number
  presencePenalty?: number
  bias?: [number, number][]
  counts?: [number, number][]
  prompt?: number[]
}

/** Logits after bias and penalties, rounded to f32 as the device keeps them. */
export function adjust(logits: ArrayLike<number>, s: Sampler): Float32Array {
  const y = Float32Array.from(logits)
  for (const [id, bias] of s.bias ?? []) y[id]! += bias
  const repetition = Math.fround(s.repetitionPenalty ?? 1)
  const seen = new Set([...(s.prompt ?? []), ...(s.counts ?? []).map(([id]) => id)])
  if (repetition !== 1) for (const id of seen) y[id] = y[id]! > 0 ? y[id]! / repetition : y[id]! * repetition
  for (const [id, count] of s.counts ?? []) {
    const penalty = Math.fround(Math.fround(s.frequencyPenalty ?? 0) * count) + Math.fround(s.presencePenalty ?? 0)
    y[id] = y[id]! - Math.fround(penalty)
  }
  return y
}

/** The probability of every id after bias, penalties, temperature, top-k, top-p, min-p, in this order. */
export function distribution(logits: ArrayLike<number>, s: Sampler): Map<number, number> {
  const adjusted = adjust(logits, s)
  let kept = Array.from(adjusted, (logit, id) => ({ id, logit })).filter(({ logit }) => !Number.isNaN(logit))
  kept.sort((a, b) => b.logit - a.logit || a.id - b.id)
  if (s.temperature === 0) return new Map([[kept[0]!.id, 1]])
  const max = kept[0]!.logit
  const weighed = kept.map(({ id, logit }) => ({ id, logit, w: Math.exp((logit - max) / s.temperature) }))
  let list = s.topK ? weighed.slice(0, s.topK) : weighed
  if (s.topP !== undefined && s.topP < 1) {
    const target = s.topP * list.reduce((sum, c) => sum + c.w, 0)
    let sum = 0
    let n = 0
    while (n < list.length && sum < target) sum += list[n++]!.w
    list = list.slice(0, Math.max(1, n))
  }
  if (s.minP) list = list.filter((c) => c.w >= s.minP!)
  kept = []
  const total = list.reduce((sum, c) => sum + c.w, 0)
  return new Map(list.map((c) => [c.id, c.w / total]))
}

/** Natural logarithms of the softmax of the raw logits. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  let max = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logits.length; i++) max = Math.max(max, logits[i]!)
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - max)
  return Float64Array.from(logits, (x) => x - max - Math.log(sum))
}

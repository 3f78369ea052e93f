// What a loaded model says of a prompt, asked in the three ways that the public API has.
import type { Llm } from '../../lib/index.ts'

/** Log-probability of tokens[t + 1] after tokens[0 … t], for every t: one pass over the prompt. */
export function nextLogprobs(llm: Llm, tokens: readonly number[]): Promise<Float32Array> {
  return llm.score(tokens)
}

/** The `count` (at most 20) most probable tokens after the prompt. */
export async function topLogprobs(llm: Llm, prompt: readonly number[], count: number): Promise<Map<number, number>> {
  const answer = await llm.generate(prompt, { temperature: 0, maxTokens: 1, ignoreEos: true, logprobs: count })
  return new Map(answer.logprobs![0]!.top.map(({ token, logprob }) => [token, logprob]))
}

/** The whole distribution after the prompt: every token of the vocabulary is put behind it and scored. */
export async function allLogprobs(llm: Llm, prompt: readonly number[]): Promise<Float32Array> {
  const ids = Array.from({ length: llm.info.vocabSize }, (_, id) => id)
  const scores = await Promise.all(ids.map((id) => llm.score([...prompt, id])))
  return Float32Array.from(scores, (logprobs) => logprobs.at(-1)!)
}

/** max |a − b|; lengths that differ are an error. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`)
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!)
    // NaN must not pass for small.
    if (!(difference <= most)) most = difference
  }
  return most
}

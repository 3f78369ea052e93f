// What the fake device computes: the next token of a sequence and its probability, from its tokens alone.
import type { NativeSampler } from '../../lib/native.ts'

export const VOCAB = 81
export const DIM = 4

/** The token after `history`: a hash of it, of the seed (unless greedy), and of the output under a penalty. */
export function next(
  history: number[],
  sampler: Pick<NativeSampler, 'temperature' | 'seed' | 'frequencyPenalty'>,
  generated: number[],
): number {
  let h = hash(history)
  if (sampler.temperature > 0) h = mix(mix(h, sampler.seed[0]), sampler.seed[1])
  if (sampler.frequencyPenalty !== 0) h = mix(h, hash(generated))
  return (h >>> 0) % VOCAB
}

/** What a sequence generates when nothing else runs. */
export function continuation(prompt: number[], sampler: Parameters<typeof next>[1], count: number): number[] {
  const tokens = [...prompt]
  while (tokens.length < prompt.length + count) tokens.push(next(tokens, sampler, tokens.slice(prompt.length)))
  return tokens.slice(prompt.length)
}

export const logprob = (history: number[], id: number): number => Math.fround(-(mix(hash(history), id) & 1023) / 64)

export const vector = (id: number, position: number): number[] =>
  Array.from({ length: DIM }, (_, j) => ((id * (j + 1) + position) % 17) - 8)

const mix = (h: number, x: number): number => Math.imul((h ^ x) + 0x9e3779b9, 0x85ebca6b) ^ (h >>> 13)
const hash = (tokens: number[]): number => tokens.reduce(mix, 17)

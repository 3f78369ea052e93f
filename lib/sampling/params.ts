// How a sequence chooses its tokens: options as the caller gives them, checked once, and what the device gets.
import type { NativeSampler } from '../native.ts'
import { boolean, checkOptions, expected, integer, number } from './check.ts'

export interface SamplingOptions {
  /** 0 takes the most probable token; higher is more varied. 0 … 2, default 0.7. */
  temperature?: number
  /** Nucleus: the smallest set of tokens with this probability together. (0, 1], default 0.95; 1 is off. */
  topP?: number
  /** Only the k most probable tokens. Default 0, off. */
  topK?: number
  /** Only tokens at least this probable, relative to the most probable one. 0 … 1, default 0, off. */
  minP?: number
  /** Divides the logits of tokens seen in prompt and answer (CTRL). Greater than 0, default 1, off. */
  repetitionPenalty?: number
  /** Taken from a token's logit for each time it was generated. −2 … 2, default 0. */
  frequencyPenalty?: number
  /** Taken from a token's logit once it was generated. −2 … 2, default 0. */
  presencePenalty?: number
  /** Added to the logits of these token ids. −100 … 100. */
  logitBias?: Record<number, number> | ReadonlyMap<number, number>
  /** The same seed gives the same answer; answer i of n draws with seed + i. Default: random. */
  seed?: number | bigint
  /** The answer ends before any of these strings, or at any of these token ids. */
  stop?: string | number | readonly (string | number)[]
  /** Tokens to generate at most. Default: what the context leaves. */
  maxTokens?: number
  /** Go on past the end-of-text token. Default false. */
  ignoreEos?: boolean
  /** true: the log-probability of each token; a number up to 20: and of so many of the most probable ones. */
  logprobs?: boolean | number
  /** Answers to the same prompt, computed together. Default 1. */
  n?: number
}

export interface SamplingParams {
  temperature: number
  topP: number
  topK: number
  minP: number
  repetitionPenalty: number
  frequencyPenalty: number
  presencePenalty: number
  biasIds: Int32Array
  biasValues: Float32Array
  seed: bigint
  stopStrings: string[]
  stopTokens: Int32Array
  /** undefined: as many as the context leaves. */
  maxTokens: number | undefined
  /** −1: none; 0: the chosen token's; k: and the k best. */
  topLogprobs: number
  n: number
}

const NAMES = [
  ...['temperature', 'topP', 'topK', 'minP', 'repetitionPenalty', 'frequencyPenalty', 'presencePenalty'],
  ...['logitBias', 'seed', 'stop', 'maxTokens', 'ignoreEos', 'logprobs', 'n', 'signal'],
]
const MAX_TOP_LOGPROBS = 20 // as in native/ops/sample.h

/**
 * Checks every option; `others` may be there too. Throws KV_ARGUMENT with the option, what was found and what is expected.
 */
export function samplingParams(
  options: SamplingOptions,
  vocabSize: number,
  eos: readonly number[],
  others: readonly string[] = [],
): SamplingParams {
  checkOptions(options, [...NAMES, ...others])
  const stop = stops(options.stop, vocabSize)
  const bias = logitBias(options.logitBias, vocabSize)
  const ends = boolean('ignoreEos', options.ignoreEos, false) ? [] : eos
  return {
    temperature: number('temperature', options.temperature, 0.7, { min: 0, max: 2 }),
    topP: number('topP', options.topP, 0.95, { above: 0, max: 1 }),
    topK: integer('topK', options.topK, 0, { min: 0, max: 2 ** 31 - 1 }),
    minP: number('minP', options.minP, 0, { min: 0, max: 1 }),
    repetitionPenalty: number('repetitionPenalty', options.repetitionPenalty, 1, { above: 0 }),
    frequencyPenalty: number('frequencyPenalty', options.frequencyPenalty, 0, { min: -2, max: 2 }),
    presencePenalty: number('presencePenalty', options.presencePenalty, 0, { min: -2, max: 2 }),
    biasIds: Int32Array.from(bias.keys()),
    biasValues: Float32Array.from(bias.values()),
    seed: seed(options.seed),
    stopStrings: stop.filter((one) => typeof one === 'string'),
    stopTokens: Int32Array.from(new Set([...stop.filter((one) => typeof one === 'number'), ...ends])),
    maxTokens: options.maxTokens === undefined ? undefined : integer('maxTokens', options.maxTokens, 1, { min: 1 }),
    topLogprobs: topLogprobs(options.logprobs),
    n: integer('n', options.n, 1, { min: 1, max: 128 }),
  }
}

/** The sampler of answer `index`. `prompt` is needed only under a repetition penalty. */
export function nativeSampler(params: SamplingParams, index: number, prompt: Int32Array): NativeSampler {
  const seed = BigInt.asUintN(64, params.seed + BigInt(index))
  return {
    temperature: params.temperature,
    topK: params.topK,
    topP: params.topP,
    minP: params.minP,
    repetitionPenalty: params.repetitionPenalty,
    frequencyPenalty: params.frequencyPenalty,
    presencePenalty: params.presencePenalty,
    seed: [Number(seed & 0xffffffffn), Number(seed >> 32n)],
    topLogprobs: params.topLogprobs,
    biasIds: params.biasIds,
    biasValues: params.biasValues,
    stopTokens: params.stopTokens,
    prompt: params.repetitionPenalty === 1 ? new Int32Array() : prompt,
  }
}

/** Greedy, with the log-probability of each token: for what is scored or embedded, not generated. */
export function plainSampler(): NativeSampler {
  const params = samplingParams({ temperature: 0, topP: 1, seed: 0, logprobs: true }, 1, [])
  return nativeSampler(params, 0, new Int32Array())
}

function stops(stop: SamplingOptions['stop'], vocabSize: number): (string | number)[] {
  const list = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop]
  for (const one of list) {
    if (typeof one === 'string' && one.length > 0) continue
    if (typeof one === 'number' && Number.isInteger(one) && one >= 0 && one < vocabSize) continue
    throw expected('stop', `non-empty strings and token ids below ${vocabSize}`, one)
  }
  return [...list]
}

function logitBias(bias: SamplingOptions['logitBias'], vocabSize: number): Map<number, number> {
  const result = new Map<number, number>()
  if (bias === undefined) return result
  if (typeof bias !== 'object' || bias === null) throw expected('logitBias', 'an object or a Map of id to number', bias)
  const entries: Iterable<[unknown, unknown]> = bias instanceof Map ? bias : Object.entries(bias)
  for (const [key, value] of entries) {
    const id = Number(key)
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize)
      throw expected('logitBias', `token ids from 0 to ${vocabSize - 1}`, key)
    result.set(id, number(`logitBias[${id}]`, value, 0, { min: -100, max: 100 }))
  }
  return result
}

/** 32 bits, which need not be secret: that node:crypto takes milliseconds to load would be felt. */
const half = (): number => Math.floor(Math.random() * 2 ** 32)

function seed(value: unknown): bigint {
  if (value === undefined) return (BigInt(half()) << 32n) | BigInt(half())
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  throw expected('seed', 'a non-negative safe integer, or a bigint below 2^64', value)
}

function topLogprobs(value: unknown): number {
  if (value === undefined || value === false) return -1
  if (value === true) return 0
  return integer('logprobs', value, 0, { min: 0, max: MAX_TOP_LOGPROBS })
}

// What a call gives back, in the words of the API.
import type { Timings } from './request.ts'

/** stop: the model ended it, or a stop string or token did. length: maxTokens. abort: the caller did. */
export type FinishReason = 'stop' | 'length' | 'abort'

export interface Usage {
  promptTokens: number
  /** Of them, found in the cache. */
  cachedTokens: number
  /** Tokens that were sampled, a final stop token included; of all answers together. */
  completionTokens: number
}

/** Natural logarithms of the model's own probabilities, before temperature and filters. */
export interface TokenLogprob {
  token: number
  logprob: number
  /** The most probable tokens, best first; as many as were asked for. */
  top: { token: number; logprob: number }[]
}

export interface ChoiceResult {
  index: number
  text: string
  /** The sampled ids; a final stop token is left out, the tokens of a stop string are not. */
  tokens: number[]
  finishReason: FinishReason
  /** One entry a token, when logprobs were asked for. */
  logprobs?: TokenLogprob[]
}

export interface Answer {
  text: string
  tokens: number[]
  finishReason: FinishReason
  usage: Usage
  timings: Timings
  logprobs?: TokenLogprob[]
  /** Every answer when n > 1; `text` and the others above are those of the first. */
  choices?: ChoiceResult[]
}

/** A piece of a streamed answer. The texts of all pieces joined are `text`, their tokens are `tokens`. */
export interface Piece {
  text: string
  tokens: number[]
  /** One entry a token, when logprobs were asked for. */
  logprobs?: TokenLogprob[]
  /** Which answer it belongs to, when n > 1. */
  index?: number
}

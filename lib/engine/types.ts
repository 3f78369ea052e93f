// The words of the API: what callers give, what a loaded model is made of.
import type { SamplingOptions } from '../sampling/params.ts'
import type { Service } from '../scheduler/service.ts'
import type { Pooling } from './embed-request.ts'
import type { Engine } from './engine.ts'
import type { Detokenizer } from './generate-request.ts'

/** One turn of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
}

export interface GenerateOptions extends SamplingOptions, Service {
  /** Ends the call; it rejects with KV_ABORTED. */
  signal?: AbortSignal
}

export interface ChatOptions extends GenerateOptions {
  /** Functions that the model may call, as JSON Schema in the form of OpenAI's API; the chat template shows them to it. */
  tools?: readonly object[]
}

export interface EmbedOptions extends Service {
  /** mean: of the last layer over all tokens (default). last: its value at the last token. */
  pooling?: Pooling
  /** Scale to length 1. Default true. */
  normalize?: boolean
  signal?: AbortSignal
}

export interface ScoreOptions extends Service {
  signal?: AbortSignal
}

/** A text, or the ids of its tokens, which are taken as they are. */
export type Prompt = string | ArrayLike<number>

export interface ModelInfo {
  name: string
  /** The file or folder it was loaded from. */
  path: string
  architecture: string
  layers: number
  hiddenSize: number
  vocabSize: number
  /** Tokens that a prompt and its answer may have together. */
  context: number
  /** Requests computed at once; more wait in line. */
  maxSequences: number
  /** What computes: 'cpu', or 'cuda:0' with the name of the card. */
  device: string
  threads: number
  /** Instruction set of the kernels. */
  isa: string
  /** Format of the KV cache, and its size when full. */
  kv: string
  kvBytes: number
  weightBytes: number
}

/** Text to ids and back. */
export interface TextCodec {
  /** special: add BOS and EOS as the checkpoint asks. parse: read <|…|> as control tokens. */
  encode(text: string, special: boolean, parse: boolean): Promise<Int32Array>
  decode(ids: Int32Array): string
  detokenizer(): Detokenizer
}

/** What load() puts together. */
export interface LlmParts {
  engine: Engine
  codec: TextCodec
  /** The checkpoint's chat template, ready for the model to answer; null where it has none. */
  template: ((messages: readonly ChatMessage[], options?: Pick<ChatOptions, 'tools'>) => string) | null
  /** Ids that end an answer. */
  stopTokens: readonly number[]
  /** Numbers of the programs in a step's first word. */
  programs: { generate: number; mean: number; last: number }
  info: ModelInfo
  /** Gives back what the engine does not own: mapped files, the tokenizer. */
  release(): void
}

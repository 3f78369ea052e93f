// The words of the API: what callers give, what a loaded model is made of.
import type { ChatFormat } from '../chat/format.ts'
import type { TemplateMessage, TemplateOptions } from '../chat/template.ts'
import type { OutputFormat } from '../grammar/format.ts'
import type { NativeGrammar } from '../native.ts'
import type { SamplingOptions } from '../sampling/params.ts'
import type { Service } from '../scheduler/service.ts'
import type { Pooling } from './embed-request.ts'
import type { Engine } from './engine.ts'
import type { Detokenizer } from './generate-request.ts'

export type { ChatMessage, TextPart, ToolCall } from '../chat/message.ts'

export interface GenerateOptions extends SamplingOptions, Service {
  /**
   * The form that the answer has, whatever the model would rather say. It is complete even at maxTokens where that many
   * tokens can hold it; a stop string ends it anywhere.
   */
  format?: OutputFormat
  /** Ends the call; it rejects with KV_ABORTED. */
  signal?: AbortSignal
}

export interface ChatOptions extends GenerateOptions {
  /** Functions that the model may call, as JSON Schema in the form of OpenAI's API; the chat template shows them to it. */
  tools?: readonly object[]
  /** Variables of the checkpoint's own template, as enable_thinking. */
  templateVariables?: Readonly<Record<string, unknown>>
  /** Called with the text that the template made of the conversation, before it is computed. */
  onPrompt?: (text: string) => void
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
  /** Instruction set of the kernels; 'sm_90a' where a card has kernels for it alone and they passed their check. */
  isa: string
  /** Format of the KV cache, and its size when full. */
  kv: string
  kvBytes: number
  /** Room outside it for pages of requests that had to give way; 0: none. */
  swapBytes: number
  weightBytes: number
  /** 'as-is', as the files have them, or the format that they were written to the cache in. */
  weights: string
  /** What decided the sizes and formats, in words. */
  why: Readonly<Record<'weights' | 'context' | 'format' | 'kv', string>>
  /** What its chat template can do, and how its answers are written; absent where there is no template. */
  chat?: ChatFormat
}

/** Text to ids and back. */
export interface TextCodec {
  /** special: add BOS and EOS as the checkpoint asks. parse: read <|…|> as control tokens, but none after a mark. */
  encode(text: string, special: boolean, parse: boolean, mark?: string): Promise<Int32Array>
  /** What control tokens look like in a text. */
  controlTokens(): string[]
  decode(ids: Int32Array): string
  /** The bytes of one token inside a text; control tokens as the checkpoint writes them. */
  bytes(id: number): Uint8Array
  /** marks: keep the control tokens that give a chat's answer its form (lib/tokenizer/marks.ts). */
  detokenizer(marks?: boolean): Detokenizer
}

/** The programs of a device, by the first word of a step. */
export interface ProgramNumbers {
  generate: number
  /** May have to be compiled first. */
  embed(pooling: Pooling): Promise<number>
}

/** What load() puts together. */
export interface LlmParts {
  engine: Engine
  codec: TextCodec
  /** The checkpoint's chat template, ready for the model to answer; null where it has none. */
  template: ((messages: readonly TemplateMessage[], options?: TemplateOptions) => string) | null
  /** What holds answers to a format; undefined where the device needs nothing for it. Rejects as compiling a format does. */
  grammar(format: OutputFormat): Promise<NativeGrammar | undefined>
  /** Ids that end an answer. */
  stopTokens: readonly number[]
  programs: ProgramNumbers
  info: ModelInfo
  /** Gives back what the engine does not own: mapped files, the tokenizer. */
  release(): void
}

// The public API.
//
//   const llm = await load('smollm2:135m')
//   const answer = await llm.chat('Why is the sky blue?')                     // { text, usage, timings, … }
//   for await (const piece of llm.chat(messages)) process.stdout.write(piece.text)
//   await llm.dispose()

export type { CallFormat, ChatFormat } from './chat/format.ts'
export type { Answer, ChoiceResult, FinishReason, Piece, TokenLogprob, Usage } from './engine/answer.ts'
export type { DeviceName } from './engine/device.ts'
export type { Pooling } from './engine/embed-request.ts'
export type { EngineLoad } from './engine/engine-load.ts'
export type { Generation } from './engine/generation.ts'
export type { Llm } from './engine/llm.ts'
export { type LoadOptions, load } from './engine/load.ts'
export type { Timings } from './engine/request.ts'
export type {
  ChatMessage,
  ChatOptions,
  EmbedOptions,
  GenerateOptions,
  ModelInfo,
  Prompt,
  ScoreOptions,
  TextPart,
  ToolCall,
} from './engine/types.ts'
export { type ErrorCode, KvasirError } from './errors.ts'
export type { OutputFormat } from './grammar/format.ts'
export type { SamplingOptions } from './sampling/params.ts'
export type { PrefixStats } from './scheduler/prefix-cache.ts'
export type { Priority, Service } from './scheduler/service.ts'

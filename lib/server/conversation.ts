// One call of the model with a conversation, and how its answers are read: thoughts, text, calls of functions.
import { randomBytes } from 'node:crypto'
import { type AnswerPart, AnswerParts, opensThoughts } from '../chat/answer-parts.ts'
import type { ChoiceResult } from '../engine/answer.ts'
import type { Generation } from '../engine/generation.ts'
import type { ChatMessage, ChatOptions } from '../engine/types.ts'
import type { OutputFormat } from '../grammar/format.ts'
import { forcedCalls } from './forced-calls.ts'
import type { FunctionSpec, ToolChoice } from './schemas/tools.ts'
import type { Model } from './shared.ts'

export interface Conversation {
  messages: ChatMessage[]
  tools: readonly FunctionSpec[]
  choice: ToolChoice
  /** What a whole answer must be. */
  format: OutputFormat | undefined
  /** False: of several calls in an answer only the first counts. */
  parallel: boolean
  options: ChatOptions
}

export interface Reader {
  push(text: string): AnswerPart[]
  end(): AnswerPart[]
}

export interface Call {
  generation: Generation
  /** For one answer, once its first piece is there. */
  reader(): Reader
  callId(): string
}

export function converse(llm: Model, conversation: Conversation): Call {
  const { messages, tools, choice, parallel, options } = conversation
  const offered =
    choice === 'none' ? [] : typeof choice === 'object' ? tools.filter(({ name }) => name === choice.name) : tools
  const forced = forcedCalls(tools, choice, parallel)
  const format = forced?.format ?? conversation.format
  let thinking = false
  const generation = llm.chat(messages, {
    ...options,
    ...(format && withFormat(format, options)),
    tools: offered.map((spec) => ({ type: 'function', function: withoutNull(spec) })),
    onPrompt: (prompt) => {
      thinking = opensThoughts(prompt)
    },
  })
  const calls = llm.info.chat?.calls ?? 'hermes'
  return {
    generation,
    reader: () => {
      if (forced) return forced.reader()
      if (format) return new AnswerParts({ calls: null })
      const parts = new AnswerParts({ calls: offered.length > 0 ? calls : null, thinking })
      return parallel ? parts : new OneCall(parts)
    },
    // Templates of Mistral refuse any other length.
    callId: () =>
      calls === 'mistral' ? randomBytes(5).toString('hex').slice(0, 9) : `call_${randomBytes(12).toString('hex')}`,
  }
}

/** Options for an answer that is held to a format from its first token on, so that there is no room for thoughts. */
export function withFormat(format: OutputFormat, { templateVariables }: ChatOptions = {}): ChatOptions {
  return { format, templateVariables: { enable_thinking: false, ...templateVariables } }
}

/** An answer's parts put together. */
export interface Message {
  text: string
  reasoning: string
  calls: { id: string; name: string; arguments: string }[]
}

export function messageOf({ text }: ChoiceResult, call: Call): Message {
  const reader = call.reader()
  const message: Message = { text: '', reasoning: '', calls: [] }
  for (const part of [...reader.push(text), ...reader.end()]) {
    if (part.type === 'call') message.calls.push({ id: call.callId(), name: part.name, arguments: part.arguments })
    else if (part.type === 'arguments') message.calls.at(-1)!.arguments += part.text
    else message[part.type] += part.text
  }
  return message
}

class OneCall implements Reader {
  private calls = 0

  constructor(private readonly parts: Reader) {}

  push(text: string): AnswerPart[] {
    return this.first(this.parts.push(text))
  }

  end(): AnswerPart[] {
    return this.first(this.parts.end())
  }

  private first(parts: AnswerPart[]): AnswerPart[] {
    return parts.filter(({ type }) => {
      if (type === 'call') this.calls++
      return this.calls < 2 || (type !== 'call' && type !== 'arguments')
    })
  }
}

// Templates write what they get: null would become a word.
export function withoutNull({ name, description, parameters }: FunctionSpec) {
  return { name, ...(description != null && { description }), ...(parameters != null && { parameters }) }
}

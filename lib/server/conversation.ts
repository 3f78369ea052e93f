// One call of the model with a conversation, and how its answers are read: thoughts, text, calls of functions.
import { randomBytes } from 'node:crypto'
import { type AnswerPart, AnswerParts, opensThoughts } from '../chat/answer-parts.ts'
import type { ChoiceResult } from '../engine/answer.ts'
import type { Generation } from '../engine/generation.ts'
import type { ChatMessage, ChatOptions } from '../engine/types.ts'
import type { FunctionSpec, ToolChoice } from './schemas/tools.ts'
import type { Model } from './shared.ts'

export interface Conversation {
  messages: ChatMessage[]
  tools: readonly FunctionSpec[]
  choice: ToolChoice
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

export function converse(llm: Model, { messages, tools, choice, parallel, options }: Conversation): Call {
  const offered = choice === 'none' ? [] : tools
  let thinking = false
  const generation = llm.chat(messages, {
    ...options,
    tools: offered.map((spec) => ({ type: 'function', function: withoutNull(spec) })),
    onPrompt: (prompt) => {
      thinking = opensThoughts(prompt)
    },
  })
  const format = llm.info.chat?.calls ?? 'hermes'
  return {
    generation,
    reader: () => {
      const parts = new AnswerParts({ calls: offered.length > 0 ? format : null, thinking })
      return parallel ? parts : new OneCall(parts)
    },
    // Templates of Mistral refuse any other length.
    callId: () =>
      format === 'mistral' ? randomBytes(5).toString('hex').slice(0, 9) : `call_${randomBytes(12).toString('hex')}`,
  }
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
    else message[part.type] += part.text
  }
  return message
}

class OneCall implements Reader {
  private called = false

  constructor(private readonly parts: Reader) {}

  push(text: string): AnswerPart[] {
    return this.first(this.parts.push(text))
  }

  end(): AnswerPart[] {
    return this.first(this.parts.end())
  }

  private first(parts: AnswerPart[]): AnswerPart[] {
    return parts.filter(({ type }) => {
      if (type !== 'call') return true
      const first = !this.called
      this.called = true
      return first
    })
  }
}

// Templates write what they get: null would become a word.
export function withoutNull({ name, description, parameters }: FunctionSpec) {
  return { name, ...(description != null && { description }), ...(parameters != null && { parameters }) }
}

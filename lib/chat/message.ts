// A conversation as callers give it, and as templates read it. The fields are those of OpenAI's API, which templates know.
import { KvasirError } from '../errors.ts'
import { expected, oneOf } from '../sampling/check.ts'
import type { TemplateMessage } from './template.ts'

export interface TextPart {
  type: 'text'
  text: string
}

/** What an assistant asked a function. `arguments`: an object, or the JSON text of one. */
export interface ToolCall {
  id?: string
  type?: 'function'
  function: { name: string; arguments?: string | object }
}

/** One turn of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  /** Text, or parts of it. An assistant that calls functions may say nothing. */
  content?: string | null | readonly TextPart[]
  name?: string
  tool_calls?: readonly ToolCall[]
  /** Of a tool's message: the call that it answers. */
  tool_call_id?: string
  /** What an assistant thought before it answered; templates decide whether the model sees it again. */
  reasoning_content?: string
}

const ROLES = ['system', 'user', 'assistant', 'tool'] as const

/** Throws KV_ARGUMENT with the message and the field that are wrong. */
export function templateMessages(messages: string | readonly ChatMessage[]): TemplateMessage[] {
  if (typeof messages === 'string') return [{ role: 'user', content: messages }]
  if (!Array.isArray(messages) || messages.length === 0)
    throw expected('messages', 'a string or a list of { role, content }', messages)
  return messages.map((message: ChatMessage, i) => {
    const role = oneOf(`messages[${i}].role`, message?.role ?? null, 'user', ROLES)
    const { tool_calls: calls, content: _, ...rest } = message
    for (const field of ['name', 'tool_call_id', 'reasoning_content'] as const)
      if (rest[field] !== undefined && typeof rest[field] !== 'string')
        throw expected(`messages[${i}].${field}`, 'a string', rest[field])
    if (calls !== undefined && !Array.isArray(calls)) throw expected(`messages[${i}].tool_calls`, 'a list', calls)
    const asks = role === 'assistant' && calls !== undefined && calls.length > 0
    const content = textOf(`messages[${i}].content`, message.content, asks)
    if (!asks) return { ...rest, role, content }
    return {
      ...rest,
      role,
      content,
      tool_calls: calls.map((call, j) => toolCall(`messages[${i}].tool_calls[${j}]`, call)),
    }
  })
}

// Templates add strings; an absent text is null to them where they tell a call from an answer by it.
function textOf(name: string, content: ChatMessage['content'], mayBeAbsent: boolean): string | null {
  if (typeof content === 'string') return content
  if (mayBeAbsent && content == null) return null
  if (!Array.isArray(content)) throw expected(name, 'a string or a list of { type: "text", text }', content)
  const texts = content.map((part: { type?: unknown; text?: unknown }, i) => {
    if (part?.type === 'text' && typeof part.text === 'string') return part.text
    if (typeof part?.type === 'string' && part.type !== 'text')
      throw new KvasirError('KV_UNSUPPORTED', `${name}[${i}] is of type ${part.type}; Kvasir reads text only`)
    throw expected(`${name}[${i}]`, '{ type: "text", text }', part)
  })
  return texts.join('\n')
}

// Templates write arguments as JSON themselves, so they get the object.
function toolCall(name: string, call: ToolCall) {
  const { name: called, arguments: input = {} } = call?.function ?? {}
  if (typeof called !== 'string') throw expected(`${name}.function.name`, 'a string', called)
  if (typeof input !== 'string' && (typeof input !== 'object' || input === null))
    throw expected(`${name}.function.arguments`, 'an object or the JSON text of one', input)
  return { ...call, type: 'function', function: { name: called, arguments: parsed(input) } }
}

function parsed(input: string | object): string | object {
  if (typeof input !== 'string') return input
  try {
    const value: unknown = JSON.parse(input === '' ? '{}' : input)
    return typeof value === 'object' && value !== null ? value : input
  } catch {
    return input // the model's own mistake, shown to it as it was
  }
}

/** Throws KV_ARGUMENT unless it is a list of objects. */
export function checkedTools(tools: readonly object[] = []): readonly object[] {
  if (!Array.isArray(tools)) throw expected('tools', 'a list of tools', tools)
  tools.forEach((tool, i) => {
    if (typeof tool !== 'object' || tool === null) throw expected(`tools[${i}]`, 'an object', tool)
  })
  return tools
}

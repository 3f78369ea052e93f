// The SDK's prompt as a conversation, and its tools as chat() takes them.
import type {
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  LanguageModelV3Message,
  LanguageModelV3ToolResultPart,
  SharedV3Warning,
} from '@ai-sdk/provider'
import type { ChatMessage } from '../engine/types.ts'
import { KvasirError } from '../errors.ts'

type Call = Pick<LanguageModelV3CallOptions, 'prompt' | 'tools' | 'toolChoice' | 'responseFormat'>

export interface Conversation {
  messages: ChatMessage[]
  tools: object[]
  warnings: SharedV3Warning[]
}

export function conversation(call: Call): Conversation {
  const warnings: SharedV3Warning[] = []
  const functions = (call.tools ?? []).filter((tool): tool is LanguageModelV3FunctionTool => {
    if (tool.type === 'function') return true
    warnings.push({ type: 'unsupported', feature: `tool ${tool.id}`, details: 'it runs on another provider' })
    return false
  })
  const messages = call.prompt.flatMap(chatMessages)
  const extra = [mustCall(call.toolChoice), formatInstructions(call.responseFormat)].filter(Boolean)
  if (extra.length > 0) addToSystem(messages, extra.join('\n\n'))
  return { messages, tools: offered(functions, call.toolChoice), warnings }
}

function offered(tools: LanguageModelV3FunctionTool[], choice: Call['toolChoice']): object[] {
  if (choice?.type === 'none') return []
  const names = choice?.type === 'tool' ? tools.filter(({ name }) => name === choice.toolName) : tools
  return names.map(({ name, description, inputSchema }) => ({
    type: 'function',
    function: { name, description, parameters: inputSchema },
  }))
}

function chatMessages(message: LanguageModelV3Message): ChatMessage[] {
  if (message.role === 'system') return [{ role: 'system', content: message.content }]
  const texts: string[] = []
  const calls: NonNullable<ChatMessage['tool_calls']>[number][] = []
  const results: ChatMessage[] = []
  for (const part of message.content)
    switch (part.type) {
      case 'text':
        texts.push(part.text)
        break
      case 'reasoning': // models were trained without the thoughts of earlier turns
        break
      case 'tool-call':
        calls.push({
          id: part.toolCallId,
          type: 'function',
          function: { name: part.toolName, arguments: part.input as object },
        })
        break
      case 'tool-result':
        results.push({ role: 'tool', name: part.toolName, tool_call_id: part.toolCallId, content: resultText(part) })
        break
      default:
        throw new KvasirError('KV_UNSUPPORTED', `a message has a part of type ${part.type}; Kvasir reads text only`)
    }
  if (message.role === 'tool') return results
  const spoken = { role: message.role, content: texts.join('\n'), ...(calls.length > 0 && { tool_calls: calls }) }
  return [spoken, ...results]
}

function resultText({ output }: LanguageModelV3ToolResultPart): string {
  switch (output.type) {
    case 'text':
      return output.value
    case 'json':
    case 'content':
      return JSON.stringify(output.value)
    case 'error-text':
    case 'error-json':
      return JSON.stringify({ error: output.value })
    case 'execution-denied':
      return JSON.stringify({ error: output.reason ?? 'the user refused' })
  }
}

function mustCall(choice: Call['toolChoice']): string {
  if (choice?.type === 'required') return 'You must call one or more of the functions.'
  return choice?.type === 'tool' ? `You must call the function ${choice.toolName}.` : ''
}

function formatInstructions(format: LanguageModelV3CallOptions['responseFormat']): string {
  if (format?.type !== 'json') return ''
  const named = [format.name, format.description].filter(Boolean).join(': ')
  const what = named ? ` (${named})` : ''
  if (!format.schema) return `Answer with a JSON value and nothing else${what}.`
  return `Answer with a JSON value that follows this JSON schema, and nothing else${what}:\n${JSON.stringify(format.schema)}`
}

function addToSystem(messages: ChatMessage[], text: string): void {
  const [first] = messages
  if (first?.role === 'system') first.content += `\n\n${text}`
  else messages.unshift({ role: 'system', content: text })
}

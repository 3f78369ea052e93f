// The SDK's prompt as a conversation. Tools are described to the model, and its calls and their results written, in the
// form that Hermes, Qwen and many others were trained on: <tool_call>{"name", "arguments"}</tool_call>.
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

export function conversation(call: Call): { messages: ChatMessage[]; warnings: SharedV3Warning[] } {
  const warnings: SharedV3Warning[] = []
  const tools = (call.tools ?? []).filter((tool): tool is LanguageModelV3FunctionTool => {
    if (tool.type === 'function') return true
    warnings.push({ type: 'unsupported', feature: `tool ${tool.id}`, details: 'it runs on another provider' })
    return false
  })
  const messages = call.prompt.map(chatMessage)
  const extra = [toolInstructions(tools, call.toolChoice), formatInstructions(call.responseFormat)].filter(Boolean)
  if (extra.length > 0) addToSystem(messages, extra.join('\n\n'))
  return { messages: joined(messages), warnings }
}

function chatMessage(message: LanguageModelV3Message): ChatMessage {
  if (message.role === 'system') return { role: 'system', content: message.content }
  const content = message.content.map((part) => {
    switch (part.type) {
      case 'text':
        return part.text
      case 'reasoning':
        return '' // models were trained without the thoughts of earlier turns
      case 'tool-call':
        return `<tool_call>\n${JSON.stringify({ name: part.toolName, arguments: part.input })}\n</tool_call>`
      case 'tool-result':
        return `<tool_response>\n${resultText(part)}\n</tool_response>`
      default:
        throw new KvasirError('KV_UNSUPPORTED', `a message has a part of type ${part.type}; Kvasir reads text only`)
    }
  })
  const role = message.role === 'tool' ? 'user' : message.role
  return { role, content: content.filter(Boolean).join('\n') }
}

function resultText({ toolName, output }: LanguageModelV3ToolResultPart): string {
  switch (output.type) {
    case 'text':
    case 'json':
      return JSON.stringify({ name: toolName, content: output.value })
    case 'error-text':
    case 'error-json':
      return JSON.stringify({ name: toolName, error: output.value })
    case 'execution-denied':
      return JSON.stringify({ name: toolName, error: output.reason ?? 'the user refused' })
    case 'content':
      return JSON.stringify({ name: toolName, content: output.value })
  }
}

function toolInstructions(
  tools: LanguageModelV3FunctionTool[],
  choice: LanguageModelV3CallOptions['toolChoice'],
): string {
  const offered = choice?.type === 'tool' ? tools.filter(({ name }) => name === choice.toolName) : tools
  if (offered.length === 0 || choice?.type === 'none') return ''
  const lines = offered.map(({ name, description, inputSchema }) =>
    JSON.stringify({ type: 'function', function: { name, description, parameters: inputSchema } }),
  )
  const must = choice?.type === 'required' || choice?.type === 'tool'
  return [
    '# Tools',
    '',
    `You ${must ? 'must' : 'may'} call one or more functions to assist with the user query.`,
    '',
    'You are provided with function signatures within <tools></tools> XML tags:',
    '<tools>',
    ...lines,
    '</tools>',
    '',
    'For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:',
    '<tool_call>',
    '{"name": <function-name>, "arguments": <args-json-object>}',
    '</tool_call>',
  ].join('\n')
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

// Results of several calls come as several messages; templates expect the roles to take turns.
function joined(messages: ChatMessage[]): ChatMessage[] {
  const result: ChatMessage[] = []
  for (const message of messages) {
    const last = result.at(-1)
    if (last?.role === message.role) last.content += `\n${message.content}`
    else result.push({ ...message })
  }
  return result
}

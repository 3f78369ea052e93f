// Tools for a template that knows none: described in the system message, calls and results written in the turns, in the
// form that Hermes, Qwen and many others were trained on.
import type { TemplateMessage } from './template.ts'

type Turn = TemplateMessage & { tool_calls?: unknown }

export function withToolsAsText(messages: readonly Turn[], tools: readonly object[]): TemplateMessage[] {
  if (tools.length === 0 && !messages.some(({ role, tool_calls }) => role === 'tool' || tool_calls))
    return [...messages]
  const told = messages.map(turn)
  if (tools.length > 0) addToSystem(told, instructions(tools))
  return joined(told)
}

function turn({ role, content, tool_calls, ...rest }: Turn): TemplateMessage {
  if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` }
  if (!Array.isArray(tool_calls)) return { ...rest, role, content }
  const calls = tool_calls.map((call) => `<tool_call>\n${JSON.stringify(call.function)}\n</tool_call>`)
  return { ...rest, role, content: [content, ...calls].filter(Boolean).join('\n') }
}

function instructions(tools: readonly object[]): string {
  return [
    '# Tools',
    '',
    'You may call one or more functions to assist with the user query.',
    '',
    'You are provided with function signatures within <tools></tools> XML tags:',
    '<tools>',
    ...tools.map((tool) => JSON.stringify(tool)),
    '</tools>',
    '',
    'For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:',
    '<tool_call>',
    '{"name": <function-name>, "arguments": <args-json-object>}',
    '</tool_call>',
  ].join('\n')
}

function addToSystem(messages: TemplateMessage[], text: string): void {
  const [first] = messages
  if (first?.role === 'system') messages[0] = { ...first, content: `${first.content}\n\n${text}` }
  else messages.unshift({ role: 'system', content: text })
}

// Results of several calls come as several messages; templates expect the roles to take turns.
function joined(messages: TemplateMessage[]): TemplateMessage[] {
  const result: TemplateMessage[] = []
  for (const message of messages) {
    const last = result.at(-1)
    if (last?.role === message.role && message.role === 'user')
      result[result.length - 1] = { ...last, content: `${last.content}\n${message.content}` }
    else result.push(message)
  }
  return result
}

// A request for a response in the words of the library: its items become the turns of a conversation.
import type { ChatMessage, ChatOptions, ToolCall } from '../engine/types.ts'
import { templateVariables } from './chat-request.ts'
import type { Conversation } from './conversation.ts'
import { formatOf } from './schemas/format.ts'
import type { ResponseItem, ResponseRequest } from './schemas/response.ts'
import { samplingOptions } from './schemas/sampling.ts'
import { checkedChoice } from './schemas/tools.ts'

const LOGPROBS = 'message.output_text.logprobs'

export function responseConversation(request: ResponseRequest): Conversation {
  const { input, instructions, tool_choice: choice } = request
  const tools = request.tools ?? []
  const options: ChatOptions = {
    ...samplingOptions({ ...request, max_tokens: request.max_output_tokens }),
    ...templateVariables(request.reasoning?.effort, request.chat_template_kwargs),
  }
  if (request.top_logprobs != null || request.include?.includes(LOGPROBS))
    options.logprobs = request.top_logprobs ?? true
  const messages = typeof input === 'string' ? [{ role: 'user' as const, content: input }] : turns(input)
  if (instructions) messages.unshift({ role: 'system', content: instructions })
  return {
    ...{ messages, tools, options },
    choice: checkedChoice(
      tools,
      choice != null && typeof choice === 'object' ? { ...choice, function: choice } : choice,
    ),
    format: formatOf(request.text?.format, request),
    parallel: request.parallel_tool_calls ?? true,
  }
}

// Thoughts, text and calls are items of their own here, and one turn of the assistant to a template.
function turns(items: readonly ResponseItem[]): ChatMessage[] {
  const messages: ChatMessage[] = []
  let thoughts = ''
  for (const item of items) {
    if (item.type === 'reasoning') {
      thoughts += textOf(item.content ?? [])
      continue
    }
    if (item.type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: textOf(item.output) })
      continue
    }
    if (item.type === 'function_call') {
      const call: ToolCall = {
        id: item.call_id,
        type: 'function',
        function: { name: item.name, arguments: item.arguments },
      }
      const last = messages.at(-1)
      if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call]
      else
        messages.push({
          role: 'assistant',
          content: null,
          tool_calls: [call],
          ...(thoughts && { reasoning_content: thoughts }),
        })
    } else {
      const role = item.role === 'developer' ? 'system' : item.role
      const spoken: ChatMessage = { role, content: textOf(item.content) }
      if (thoughts && role === 'assistant') spoken.reasoning_content = thoughts
      messages.push(spoken)
    }
    thoughts = ''
  }
  return messages
}

// Parts that are no text go on as they are, for chat() to refuse.
function textOf(content: string | readonly { type: string; text?: string | undefined }[]): ChatMessage['content'] & {} {
  if (typeof content === 'string') return content
  const texts = content.map((part) => (typeof part.text === 'string' ? { ...part, type: 'text' } : part))
  return texts.every((part) => typeof part.text === 'string')
    ? texts.map(({ text }) => text).join('\n')
    : (texts as unknown as ChatMessage['content'] & {})
}

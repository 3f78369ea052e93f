// A request for a chat completion in the words of the library.
import type { ChatMessage, ChatOptions, TextPart } from '../engine/types.ts'
import type { Conversation } from './conversation.ts'
import { invalid } from './errors.ts'
import type { ChatRequest } from './schemas/chat.ts'
import { formatOf } from './schemas/format.ts'
import { samplingOptions } from './schemas/sampling.ts'
import { checkedChoice } from './schemas/tools.ts'

export function chatConversation(request: ChatRequest): Conversation {
  const tools = (request.tools ?? []).map((tool) => tool.function)
  const max_tokens = request.max_completion_tokens ?? request.max_tokens
  const options: ChatOptions = {
    ...samplingOptions({ ...request, max_tokens }),
    ...templateVariables(request.reasoning_effort, request.chat_template_kwargs),
  }
  if (request.top_logprobs != null && !request.logprobs) throw invalid('top_logprobs', 'needs logprobs to be true')
  if (request.logprobs) options.logprobs = request.top_logprobs ?? true
  if (request.stream_options != null && !request.stream) throw invalid('stream_options', 'needs stream to be true')
  return {
    messages: request.messages.map(message),
    ...{ tools, options },
    choice: checkedChoice(tools, request.tool_choice),
    format: formatOf(request.response_format, request),
    parallel: request.parallel_tool_calls ?? true,
  }
}

function message({ role, content, refusal, ...rest }: ChatRequest['messages'][number]): ChatMessage {
  const { name, tool_calls, tool_call_id, reasoning_content } = rest
  return {
    role: role === 'developer' ? 'system' : role,
    content: Array.isArray(content) ? content.map(part) : (content ?? refusal ?? null),
    ...(name !== undefined && { name }),
    ...(tool_calls != null && tool_calls.length > 0 && { tool_calls: tool_calls as ChatMessage['tool_calls'] & {} }),
    ...(tool_call_id !== undefined && { tool_call_id }),
    ...(reasoning_content != null && { reasoning_content }),
  }
}

// What is neither is refused by chat() itself.
function part(value: { type: string; [field: string]: unknown }): TextPart {
  if (value.type === 'refusal') return { type: 'text', text: String(value['refusal']) }
  return value as unknown as TextPart
}

/** What templates know of the effort to think, and variables of their own. */
export function templateVariables(
  effort: string | null | undefined,
  own: Record<string, unknown> | null | undefined,
): Pick<ChatOptions, 'templateVariables'> {
  const variables = {
    ...(effort != null && { reasoning_effort: effort }),
    ...(effort === 'none' && { enable_thinking: false }),
    ...own,
  }
  return Object.keys(variables).length > 0 ? { templateVariables: variables } : {}
}

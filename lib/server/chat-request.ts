// A request for a chat completion in the words of the library.
import type { ChatMessage, ChatOptions, TextPart } from '../engine/types.ts'
import type { Conversation } from './conversation.ts'
import { ApiError } from './errors.ts'
import type { ChatRequest } from './schemas/chat.ts'
import { samplingOptions } from './schemas/sampling.ts'
import { checkedChoice } from './schemas/tools.ts'

export function chatConversation(request: ChatRequest): Conversation {
  const tools = (request.tools ?? []).map((tool) => tool.function)
  const max_tokens = request.max_completion_tokens ?? request.max_tokens
  const options: ChatOptions = { ...samplingOptions({ ...request, max_tokens }), ...templateVariables(request) }
  if (request.top_logprobs != null && !request.logprobs)
    throw new ApiError(400, 'top_logprobs: needs logprobs to be true', { param: 'top_logprobs', code: 'invalid_value' })
  if (request.logprobs) options.logprobs = request.top_logprobs ?? true
  if (request.stream_options != null && !request.stream)
    throw new ApiError(400, 'stream_options: needs stream to be true', {
      param: 'stream_options',
      code: 'invalid_value',
    })
  if (request.response_format != null && request.response_format.type !== 'text')
    throw new ApiError(400, 'response_format: only text is there yet', {
      param: 'response_format',
      code: 'unsupported',
    })
  const choice = checkedChoice(tools, request.tool_choice)
  if (choice === 'required' || typeof choice === 'object')
    throw new ApiError(400, 'tool_choice: only none and auto are there yet', {
      param: 'tool_choice',
      code: 'unsupported',
    })
  return {
    messages: request.messages.map(message),
    ...{ tools, choice, options },
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

function templateVariables({ reasoning_effort: effort, chat_template_kwargs: own }: ChatRequest): ChatOptions {
  const variables = {
    ...(effort != null && { reasoning_effort: effort }),
    ...(effort === 'none' && { enable_thinking: false }),
    ...own,
  }
  return Object.keys(variables).length > 0 ? { templateVariables: variables } : {}
}

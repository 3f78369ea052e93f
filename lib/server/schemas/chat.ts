// The body of POST /v1/chat/completions.
import { z } from 'zod'
import { guided, responseFormat } from './format.ts'
import { sampling } from './sampling.ts'
import { functionTool, toolChoice } from './tools.ts'

const contentPart = z.looseObject({ type: z.string() })

const toolCall = z.looseObject({
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.object({ name: z.string(), arguments: z.string().optional() }),
})

const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(contentPart)]).nullish(),
  name: z.string().optional(),
  tool_calls: z.array(toolCall).nullish(),
  tool_call_id: z.string().optional(),
  reasoning_content: z.string().nullish(),
  refusal: z.string().nullish(),
})

export const chatRequest = z.object({
  ...sampling,
  ...guided,
  model: z.string().nullish(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  tools: z.array(functionTool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: z.string().nullish(),
  /** Variables of the chat template, as in vLLM: enable_thinking. */
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  modalities: z.array(z.literal('text')).nullish(),
  functions: z.undefined('use tools').optional(),
  function_call: z.undefined('use tool_choice').optional(),
})

export type ChatRequest = z.output<typeof chatRequest>

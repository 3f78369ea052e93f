// The body of POST /v1/responses.
import { z } from 'zod'
import { guided, textFormat } from './format.ts'
import { sampling } from './sampling.ts'
import { functionSpec } from './tools.ts'

const part = z.looseObject({ type: z.string(), text: z.string().optional() })
const content = z.union([z.string(), z.array(part)])

const item = z.union([
  z.object({ type: z.literal('function_call'), call_id: z.string(), name: z.string(), arguments: z.string() }),
  z.object({ type: z.literal('function_call_output'), call_id: z.string(), output: content }),
  z.object({ type: z.literal('reasoning'), content: z.array(part).nullish() }),
  z.object({
    type: z.literal('message').optional(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content,
  }),
])

export type ResponseItem = z.output<typeof item>

const { max_tokens: _, n: __, ...sharedSampling } = sampling
const none = (why: string) => z.null(why).optional()

export const responseRequest = z.object({
  ...sharedSampling,
  ...guided,
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(item).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: z.number().int().min(1).nullish(),
  stream: z.boolean().nullish(),
  text: z.object({ format: textFormat.nullish() }).nullish(),
  tools: z
    .array(z.object({ type: z.literal('function', 'only functions are there'), ...functionSpec.shape }))
    .nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), z.object({ type: z.literal('function'), name: z.string() })])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: z.object({ effort: z.string().nullish() }).nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  include: z.array(z.string()).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  truncation: z.literal('disabled', 'only disabled is there').nullish(),
  background: z.literal(false, 'nothing is computed in the background').nullish(),
  previous_response_id: none('responses are not kept: send the whole conversation as input'),
  conversation: none('conversations are not kept: send the whole of it as input'),
  prompt: none('there are no stored prompts'),
})

export type ResponseRequest = z.output<typeof responseRequest>

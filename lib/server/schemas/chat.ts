// The body of POST /v1/chat/completions.
import { z } from 'zod'
import { sampling } from './sampling.ts'

const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.string(),
})

export const chatRequest = z.object({
  ...sampling,
  model: z.string().optional(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
})

export type ChatRequest = z.output<typeof chatRequest>

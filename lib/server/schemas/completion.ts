// The body of POST /v1/completions.
import { z } from 'zod'
import { guided, responseFormat } from './format.ts'
import { prompts } from './prompt.ts'
import { sampling } from './sampling.ts'

export const completionRequest = z.object({
  ...sampling,
  ...guided,
  response_format: responseFormat.nullish(),
  model: z.string().nullish(),
  prompt: prompts(128),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  logprobs: z.number().int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
  best_of: z.literal(1, 'only 1 is there').nullish(),
  suffix: z.literal('', 'there is no model here that fills in').nullish(),
})

export type CompletionRequest = z.output<typeof completionRequest>

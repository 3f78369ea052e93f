// The fields with which every endpoint that generates says how, and what they are in the words of the library.
import { z } from 'zod'
import type { GenerateOptions } from '../../engine/types.ts'

const integer = z.number().int()

export const sampling = {
  max_tokens: integer.min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  n: integer.min(1).max(128).nullish(),
  // Wider than a safe integer in some clients; any number without a fraction names a seed.
  seed: z.number().refine(Number.isInteger, 'expected an integer').nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string().regex(/^\d+$/, 'expected a token id'), z.number().min(-100).max(100)).nullish(),
  user: z.string().nullish(),
  // Not of OpenAI's API, but of everybody else's.
  top_k: integer.min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  ignore_eos: z.boolean().nullish(),
  stop_token_ids: z.array(integer.min(0)).nullish(),
}

type Sampling = z.output<z.ZodObject<typeof sampling>>

/** Options of generate() and chat(); temperature and top_p are 1 where the client says nothing, as the API has it. */
export function samplingOptions(request: Sampling): GenerateOptions {
  const stop = [request.stop ?? [], request.stop_token_ids ?? []].flat()
  const options: GenerateOptions = { temperature: request.temperature ?? 1, topP: request.top_p ?? 1 }
  if (request.max_tokens != null) options.maxTokens = request.max_tokens
  if (request.n != null) options.n = request.n
  if (request.seed != null) options.seed = BigInt.asUintN(64, BigInt(request.seed))
  if (stop.length > 0) options.stop = stop
  if (request.presence_penalty != null) options.presencePenalty = request.presence_penalty
  if (request.frequency_penalty != null) options.frequencyPenalty = request.frequency_penalty
  if (request.logit_bias != null) options.logitBias = request.logit_bias
  if (request.top_k != null) options.topK = Math.max(0, request.top_k) // −1: all, as in vLLM
  if (request.min_p != null) options.minP = request.min_p
  if (request.repetition_penalty != null) options.repetitionPenalty = request.repetition_penalty
  if (request.ignore_eos != null) options.ignoreEos = request.ignore_eos
  return options
}

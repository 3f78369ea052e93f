// POST /v1/embeddings.
import type { Hono } from 'hono'
import { z } from 'zod'
import type { Prompt } from '../../engine/types.ts'
import { body } from '../body.ts'
import { invalid } from '../errors.ts'
import { promptList, prompts } from '../schemas/prompt.ts'
import { type Env, type Shared, servedName } from '../shared.ts'
import { begin } from '../work.ts'

const embeddingRequest = z.object({
  model: z.string().nullish(),
  input: prompts(2048),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.number().int().min(1).nullish(),
  user: z.string().nullish(),
  /** Not of OpenAI's API: mean over all tokens (default), or the last one's. */
  pooling: z.enum(['mean', 'last']).nullish(),
})

export function embeddings(app: Hono<Env>, shared: Shared): void {
  app.post('/v1/embeddings', async (c) => {
    const request = await body(c, shared, embeddingRequest)
    const model = servedName(shared, request.model)
    const { llm } = shared
    const { hiddenSize } = llm.info
    if (request.dimensions != null && request.dimensions !== hiddenSize)
      throw invalid('dimensions', `vectors of this model have ${hiddenSize}, and cannot be cut`, 'unsupported')
    const { service, answered } = begin(c, shared)
    const ids = await Promise.all(promptList(request.input).map((one) => idsOf(llm, one)))
    const pooling = request.pooling ?? 'mean'
    const vectors = await llm.embed(ids, { ...service, pooling })
    const tokens = ids.reduce((sum, { length }) => sum + length, 0)
    answered({ usage: { promptTokens: tokens, cachedTokens: 0, completionTokens: 0 } })
    const encode = request.encoding_format === 'base64' ? base64 : (vector: Float32Array) => Array.from(vector)
    return c.json({
      object: 'list',
      model,
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    })
  })
}

const idsOf = async (llm: Shared['llm'], prompt: Prompt): Promise<ArrayLike<number>> =>
  typeof prompt === 'string' ? llm.tokenize(prompt) : prompt

// Little-endian floats, as every machine that we run on has them.
const base64 = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')

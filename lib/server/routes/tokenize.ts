// POST /tokenize and /detokenize, as vLLM has them: texts and conversations to ids, and back.
import type { Hono } from 'hono'
import { z } from 'zod'
import { body } from '../body.ts'
import { chatConversation } from '../chat-request.ts'
import { withoutNull } from '../conversation.ts'
import { chatRequest } from '../schemas/chat.ts'
import { type Env, type Shared, servedName } from '../shared.ts'

const shown = { model: z.string().nullish(), return_token_strs: z.boolean().nullish() }
const tokenizeRequest = z.union([
  z.object({ ...shown, prompt: z.string(), add_special_tokens: z.boolean().nullish() }),
  z.object({ ...shown, ...chatRequest.pick({ messages: true, tools: true, chat_template_kwargs: true }).shape }),
])
const detokenizeRequest = z.object({ model: z.string().nullish(), tokens: z.array(z.number().int().min(0)) })

export function tokenize(app: Hono<Env>, shared: Shared): void {
  const { llm } = shared
  app.post('/tokenize', async (c) => {
    const request = await body(c, shared, tokenizeRequest)
    servedName(shared, request.model)
    const tokens =
      'prompt' in request
        ? await llm.tokenize(request.prompt, { special: request.add_special_tokens ?? true })
        : await conversation(request)
    return c.json({
      count: tokens.length,
      max_model_len: llm.info.context,
      tokens,
      ...(request.return_token_strs && { token_strs: tokens.map((id) => Buffer.from(llm.tokenBytes(id)).toString()) }),
    })
  })
  app.post('/detokenize', async (c) => {
    const request = await body(c, shared, detokenizeRequest)
    servedName(shared, request.model)
    return c.json({ prompt: llm.detokenize(request.tokens) })
  })

  function conversation(request: Parameters<typeof chatConversation>[0]): Promise<number[]> {
    const { messages, tools, options } = chatConversation(request)
    return llm.tokenize(messages, {
      tools: tools.map((spec) => ({ type: 'function', function: withoutNull(spec) })),
      ...(options.templateVariables && { templateVariables: options.templateVariables }),
    })
  }
}

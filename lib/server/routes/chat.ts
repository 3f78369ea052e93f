// POST /v1/chat/completions.
import { randomUUID } from 'node:crypto'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Hono } from 'hono'
import type { Answer, ChoiceResult } from '../../engine/answer.ts'
import type { Generation } from '../../engine/generation.ts'
import type { ChatMessage } from '../../engine/types.ts'
import { body } from '../body.ts'
import { disconnect } from '../disconnect.ts'
import { apiError } from '../errors.ts'
import { type ChatRequest, chatRequest } from '../schemas/chat.ts'
import { samplingOptions } from '../schemas/sampling.ts'
import { type Ctx, type Env, type Shared, servedName } from '../shared.ts'
import { EventStream } from '../sse.ts'
import { usageOf } from '../usage.ts'

interface Head {
  id: string
  created: number
  model: string
}

export function chat(app: Hono<Env>, shared: Shared): void {
  app.post('/v1/chat/completions', async (c) => {
    const request = await body(c, chatRequest)
    const head = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: servedName(shared, request.model),
    }
    const generation = shared.llm.chat(messages(request), {
      ...samplingOptions({ ...request, max_tokens: request.max_completion_tokens ?? request.max_tokens }),
      signal: disconnect(c),
    })
    if (request.stream) return stream(c, head, request, generation)
    return c.json(whole(head, await generation))
  })
}

function messages({ messages: list }: ChatRequest): ChatMessage[] {
  return list.map(({ role, content }) => ({ role: role === 'developer' ? 'system' : role, content }))
}

function whole(head: Head, answer: Answer) {
  return {
    ...head,
    object: 'chat.completion',
    choices: choicesOf(answer).map(({ index, text, finishReason }) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: null,
      finish_reason: finishReason,
    })),
    usage: usageOf(answer.usage),
  }
}

const choicesOf = (answer: Answer): ChoiceResult[] => answer.choices ?? [{ ...answer, index: 0 }]

async function stream(c: Ctx, head: Head, request: ChatRequest, generation: Generation): Promise<Response> {
  const pieces = generation[Symbol.asyncIterator]()
  let next = await pieces.next() // what fails until here has a status of its own
  const events = new EventStream(c)
  const usage = request.stream_options?.include_usage ? { usage: null } : {}
  const chunk = (index: number, delta: object, finish_reason: string | null = null) =>
    events.send({
      ...{ ...head, object: 'chat.completion.chunk' },
      choices: [{ index, delta, logprobs: null, finish_reason }],
      ...usage,
    })
  try {
    for (let index = 0; index < (request.n ?? 1); index++) await chunk(index, { role: 'assistant', content: '' })
    for (; !next.done; next = await pieces.next())
      if (next.value.text) await chunk(next.value.index ?? 0, { content: next.value.text })
    const answer = await generation
    for (const { index, finishReason } of choicesOf(answer)) await chunk(index, {}, finishReason)
    if (request.stream_options?.include_usage)
      await events.send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(answer.usage) })
    events.send('[DONE]')
  } catch (error) {
    events.send(apiError(error).body)
  }
  events.end()
  return RESPONSE_ALREADY_SENT
}

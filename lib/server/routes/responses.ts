// POST /v1/responses. Nothing is kept between requests: the input is the whole conversation.
import type { Hono } from 'hono'
import type { Answer, Usage } from '../../engine/answer.ts'
import { body } from '../body.ts'
import { converse } from '../conversation.ts'
import { apiError } from '../errors.ts'
import { type Emit, newId, ResponseOutput } from '../response-output.ts'
import { responseConversation } from '../response-request.ts'
import { type ResponseRequest, responseRequest } from '../schemas/response.ts'
import { type Env, type Model, type Shared, servedName } from '../shared.ts'
import { streamed } from '../streamed.ts'
import { reasoningTokens } from '../usage.ts'
import { begin } from '../work.ts'

export function responses(app: Hono<Env>, shared: Shared): void {
  app.post('/v1/responses', async (c) => {
    const request = await body(c, shared, responseRequest)
    const head = headOf(request, servedName(shared, request.model))
    const conversation = responseConversation(request)
    const work = begin(c, shared)
    Object.assign(conversation.options, work.service)
    const call = converse(shared.llm, conversation)
    if (!request.stream) {
      const answer = await call.generation
      work.answered(answer)
      const output = new ResponseOutput(shared.llm, call.callId, () => undefined)
      const reader = call.reader()
      await output.push([...reader.push(answer.text), ...reader.end()], answer.logprobs)
      await output.end(statusOf(answer))
      return c.json({ ...head, ...ending(shared.llm, answer, output), output: output.items })
    }

    return streamed(c, shared, [call.generation], async (events, pieces) => {
      let sequence_number = 0
      const emit: Emit = (type, fields) => events.send({ type, sequence_number: sequence_number++, ...fields }, type)
      const output = new ResponseOutput(shared.llm, call.callId, emit)
      try {
        await emit('response.created', { response: head })
        await emit('response.in_progress', { response: head })
        const reader = call.reader()
        await pieces.each(({ text, logprobs }) => output.push(reader.push(text), logprobs))
        const answer = await call.generation
        work.answered(answer)
        await output.push(reader.end())
        await output.end(statusOf(answer))
        const response = { ...head, ...ending(shared.llm, answer, output), output: output.items }
        await emit(`response.${statusOf(answer)}`, { response })
      } catch (cause) {
        const { code, message } = apiError(cause)
        const error = { code: code ?? 'server_error', message }
        await emit('response.failed', { response: { ...head, status: 'failed', error, output: output.items } })
        throw cause // told once more as the client knows it
      }
    })
  })
}

const statusOf = ({ finishReason }: Answer) => (finishReason === 'length' ? 'incomplete' : 'completed')

function headOf(request: ResponseRequest, model: string) {
  return {
    id: newId('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    model,
    output: [] as object[],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: request.temperature ?? 1,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    usage: null as object | null,
    user: request.user ?? null,
  }
}

function ending(llm: Model, answer: Answer, { items }: ResponseOutput) {
  const status = statusOf(answer)
  const thoughts = reasoningTokens(llm, answer, () => items.some(({ type }) => type === 'reasoning'))
  return {
    status,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    usage: usage(answer.usage, thoughts),
  }
}

function usage({ promptTokens, cachedTokens, completionTokens }: Usage, reasoning_tokens: number) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens },
    total_tokens: promptTokens + completionTokens,
  }
}

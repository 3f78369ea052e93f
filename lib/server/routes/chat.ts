// POST /v1/chat/completions.
import { randomUUID } from 'node:crypto'
import type { Hono } from 'hono'
import type { AnswerPart } from '../../chat/answer-parts.ts'
import type { Answer, TokenLogprob } from '../../engine/answer.ts'
import { body } from '../body.ts'
import { chatConversation } from '../chat-request.ts'
import { type Call, converse, messageOf, type Reader } from '../conversation.ts'
import { chatLogprobs } from '../logprobs.ts'
import { type ChatRequest, chatRequest } from '../schemas/chat.ts'
import { type Ctx, type Env, type Model, type Shared, servedName } from '../shared.ts'
import { type EventStream, textTemplate } from '../sse.ts'
import { streamed } from '../streamed.ts'
import { choicesOf, reasoningTokens, usageOf } from '../usage.ts'
import { begin, type Work } from '../work.ts'

interface Head {
  id: string
  created: number
  model: string
}

export function chat(app: Hono<Env>, shared: Shared): void {
  app.post('/v1/chat/completions', async (c) => {
    const request = await body(c, shared, chatRequest)
    const head = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: servedName(shared, request.model),
    }
    const conversation = chatConversation(request)
    const work = begin(c, shared)
    Object.assign(conversation.options, work.service)
    const call = converse(shared.llm, conversation)
    if (request.stream) return stream(c, shared, { head, request, call, work })
    const answer = await call.generation
    work.answered(answer)
    return c.json(whole(shared.llm, head, call, answer))
  })
}

function whole(llm: Model, head: Head, call: Call, answer: Answer) {
  const messages = choicesOf(answer).map((choice) => messageOf(choice, call))
  return {
    ...head,
    object: 'chat.completion',
    choices: choicesOf(answer).map((choice, i) => {
      const { text, reasoning, calls } = messages[i]!
      const called = calls.length > 0
      return {
        index: choice.index,
        message: {
          role: 'assistant',
          content: called && text === '' ? null : text,
          refusal: null,
          ...(reasoning && { reasoning_content: reasoning }),
          ...(called && { tool_calls: calls.map(({ id, ...rest }) => ({ id, type: 'function', function: rest })) }),
        },
        logprobs: logprobsOf(llm, choice.logprobs),
        finish_reason: called && choice.finishReason === 'stop' ? 'tool_calls' : choice.finishReason,
      }
    }),
    usage: usageOf(
      answer.usage,
      reasoningTokens(llm, answer, (i) => messages[i]!.reasoning !== ''),
    ),
  }
}

function logprobsOf(llm: Model, logprobs: readonly TokenLogprob[] | undefined) {
  return logprobs ? { content: chatLogprobs(llm, logprobs), refusal: null } : null
}

interface Streaming {
  head: Head
  request: ChatRequest
  call: Call
  work: Work
}

function stream(c: Ctx, shared: Shared, { head, request, call, work }: Streaming): Promise<Response> {
  return streamed(c, shared, [call.generation], async (events, pieces) => {
    const counted = request.stream_options?.include_usage === true
    const choices = Array.from(
      { length: request.n ?? 1 },
      (_, index) =>
        new ChoiceStream(shared.llm, events, { ...head, object: 'chat.completion.chunk' }, call, index, counted),
    )
    for (const choice of choices) await choice.send({ role: 'assistant', content: '' })
    await pieces.each(({ index = 0, text, logprobs }) => choices[index]!.push(text, logprobs))
    const answer = await call.generation
    work.answered(answer)
    for (const { index, finishReason } of choicesOf(answer)) await choices[index]!.end(finishReason)
    if (counted) {
      const thoughts = reasoningTokens(shared.llm, answer, (i) => choices[i]!.thought)
      const usage = usageOf(answer.usage, thoughts)
      await events.send({ ...head, object: 'chat.completion.chunk', choices: [], usage })
    }
    events.send('[DONE]')
  })
}

/** One of the answers of a stream. */
class ChoiceStream {
  thought = false
  private readonly reader: Reader
  private readonly content: (text: string) => string // the event of a piece of text
  private calls = 0
  private logprobs: TokenLogprob[] | undefined // of tokens whose text is held back

  constructor(
    private readonly llm: Model,
    private readonly events: EventStream,
    private readonly head: object,
    private readonly call: Call,
    private readonly index: number,
    private readonly counted: boolean,
  ) {
    this.reader = call.reader()
    this.content = textTemplate((content) => this.event({ content }))
  }

  push(text: string, logprobs?: TokenLogprob[]): Promise<void> | undefined {
    if (logprobs) this.logprobs = [...(this.logprobs ?? []), ...logprobs]
    return this.parts(this.reader.push(text))
  }

  async end(finishReason: string): Promise<void> {
    await this.parts(this.reader.end())
    await this.send({}, this.calls > 0 && finishReason === 'stop' ? 'tool_calls' : finishReason)
  }

  send(delta: object, finish_reason: string | null = null): Promise<void> | undefined {
    const logprobs = logprobsOf(this.llm, this.logprobs)
    this.logprobs = undefined
    return this.events.send(this.event(delta, logprobs, finish_reason))
  }

  private event(delta: object, logprobs: object | null = null, finish_reason: string | null = null): object {
    return {
      ...this.head,
      choices: [{ index: this.index, delta, logprobs, finish_reason }],
      ...(this.counted && { usage: null }),
    }
  }

  private parts(parts: AnswerPart[]): Promise<void> | undefined {
    let room: Promise<void> | undefined
    for (const part of parts) {
      this.thought ||= part.type === 'reasoning'
      const plain = part.type === 'text' && !this.logprobs
      room = (plain ? this.events.send(this.content(part.text)) : this.send(this.delta(part))) ?? room
    }
    return room
  }

  private delta(part: AnswerPart): object {
    if (part.type === 'arguments')
      return { tool_calls: [{ index: this.calls - 1, function: { arguments: part.text } }] }
    if (part.type !== 'call') return part.type === 'text' ? { content: part.text } : { reasoning_content: part.text }
    const { name, arguments: input } = part
    const call = { index: this.calls++, id: this.call.callId(), type: 'function', function: { name, arguments: input } }
    return { tool_calls: [call] }
  }
}

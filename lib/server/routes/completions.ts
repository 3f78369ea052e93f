// POST /v1/completions: texts continued, with no template around them.
import { randomUUID } from 'node:crypto'
import type { Hono } from 'hono'
import type { Piece } from '../../engine/answer.ts'
import type { GenerateOptions, Prompt } from '../../engine/types.ts'
import { allOf } from '../all-of.ts'
import { body } from '../body.ts'
import { invalid } from '../errors.ts'
import { CompletionLogprobs } from '../logprobs.ts'
import { type CompletionRequest, completionRequest } from '../schemas/completion.ts'
import { formatOf } from '../schemas/format.ts'
import { promptList } from '../schemas/prompt.ts'
import { samplingOptions } from '../schemas/sampling.ts'
import { type Env, type Model, type Shared, servedName } from '../shared.ts'
import { streamed } from '../streamed.ts'
import { choicesOf, sumOf, usageOf } from '../usage.ts'
import { begin } from '../work.ts'

const MAX_TOKENS = 16 // where the client says nothing, as the API has it

export function completions(app: Hono<Env>, shared: Shared): void {
  app.post('/v1/completions', async (c) => {
    const request = await body(c, shared, completionRequest)
    const head = {
      id: `cmpl-${randomUUID()}`,
      object: 'text_completion',
      created: Math.floor(Date.now() / 1000),
      model: servedName(shared, request.model),
    }
    const options = optionsOf(request)
    const prompts = promptList(request.prompt)
    const work = begin(c, shared)
    const echoes = prompts.map((prompt) => (request.echo ? textOf(shared.llm, prompt) : ''))
    const n = request.n ?? 1
    const generations = prompts.map((prompt) => shared.llm.generate(prompt, { ...options, ...work.service }))
    if (!request.stream) {
      const answers = await allOf(generations)
      for (const answer of answers) work.answered(answer)
      const choices = answers.flatMap((answer, at) =>
        choicesOf(answer).map((choice) => ({ ...choice, index: at * n + choice.index, echo: echoes[at]! })),
      )
      return c.json({
        ...head,
        choices: choices.map(({ index, echo, text, finishReason, logprobs }) => ({
          index,
          text: echo + text,
          logprobs: logprobs ? new CompletionLogprobs(shared.llm).push(logprobs) : null,
          finish_reason: finishReason,
        })),
        usage: usageOf(sumOf(answers)),
      })
    }

    return streamed(c, shared, generations, async (events, pieces) => {
      const counted = request.stream_options?.include_usage === true
      const logprobs = Array.from({ length: prompts.length * n }, () => new CompletionLogprobs(shared.llm))
      const send = (index: number, text: string, piece?: Piece, finish_reason: string | null = null) =>
        events.send({
          ...head,
          choices: [
            { index, text, logprobs: piece?.logprobs ? logprobs[index]!.push(piece.logprobs) : null, finish_reason },
          ],
          ...(counted && { usage: null }),
        })
      for (const [index, echo] of echoes.flatMap((echo) => Array<string>(n).fill(echo)).entries())
        if (echo) await send(index, echo)
      await pieces.each((piece, from) => send(from * n + (piece.index ?? 0), piece.text, piece))
      const answers = await Promise.all(generations)
      for (const [at, answer] of answers.entries()) {
        work.answered(answer)
        for (const choice of choicesOf(answer)) await send(at * n + choice.index, '', undefined, choice.finishReason)
      }
      if (counted) await events.send({ ...head, choices: [], usage: usageOf(sumOf(answers)) })
      events.send('[DONE]')
    })
  })
}

function optionsOf(request: CompletionRequest): GenerateOptions {
  const options = samplingOptions({ ...request, max_tokens: request.max_tokens ?? MAX_TOKENS })
  if (request.logprobs != null) options.logprobs = request.logprobs
  const format = formatOf(request.response_format, request)
  if (format) Object.assign(options, { format })
  if (request.echo && request.logprobs != null) throw invalid('echo', 'log-probabilities of prompts are not there')
  if (request.stream_options != null && !request.stream) throw invalid('stream_options', 'needs stream to be true')
  return options
}

const textOf = (llm: Model, prompt: Prompt): string => (typeof prompt === 'string' ? prompt : llm.detokenize(prompt))

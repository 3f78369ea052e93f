// POST /v1/chat/completions through the official client.
import type OpenAI from 'openai'
import { expect, it } from 'vitest'
import { MODEL, post, serving } from './client.ts'

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Hi' }]

it('answers', async () => {
  const { client } = await serving(['Hello you.'])
  const answer = await client.chat.completions.create({ model: MODEL, messages })
  expect(answer).toMatchObject({
    object: 'chat.completion',
    model: MODEL,
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello you.' }, finish_reason: 'stop' }],
    usage: { completion_tokens: 3 },
  })
  expect(answer.id).toMatch(/^chatcmpl-/)
  expect(answer.usage!.total_tokens).toBe(answer.usage!.prompt_tokens + 3)
})

it('streams, with usage where it is asked for', async () => {
  const { client } = await serving(() => 'one two three')
  const create = { model: MODEL, messages, stream: true } as const
  let text = ''
  let end: string | null | undefined
  for await (const chunk of await client.chat.completions.create(create)) {
    expect(chunk).not.toHaveProperty('usage')
    text += chunk.choices[0]!.delta.content ?? ''
    end = chunk.choices[0]!.finish_reason
  }
  expect({ text, end }).toEqual({ text: 'one two three', end: 'stop' })

  const usages = []
  const counted = await client.chat.completions.create({ ...create, stream_options: { include_usage: true } })
  for await (const { usage } of counted) usages.push(usage)
  expect(usages.at(-1)).toMatchObject({ completion_tokens: 4 })
  expect(new Set(usages.slice(0, -1))).toEqual(new Set([null]))
})

it('knows its model alone', async () => {
  const { client } = await serving([], { names: ['a', 'b/c'] })
  const { data } = await client.models.list()
  expect(data).toMatchObject([{ id: 'a', object: 'model', owned_by: 'kvasir', max_model_len: 4096 }])
  expect(await client.models.retrieve('b/c')).toMatchObject({ id: 'b/c' })
  await expect(client.models.retrieve('d')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
  const wrong = client.chat.completions.create({ model: 'gpt-4', messages })
  await expect(wrong).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
})

it('says what is wrong with a request', async () => {
  const { url } = await serving([])
  const chat = `${url}/v1/chat/completions`
  expect(await post(chat, '{')).toMatchObject({ status: 400, body: { error: { code: 'invalid_json' } } })
  const hot = await post(chat, { messages, temperature: 3 })
  expect(hot).toMatchObject({ status: 400, body: { error: { param: 'temperature', type: 'invalid_request_error' } } })
  const long = await post(chat, { messages: [{ role: 'user', content: 'x '.repeat(5000) }] })
  expect(long).toMatchObject({ status: 400, body: { error: { code: 'context_length_exceeded' } } })
})

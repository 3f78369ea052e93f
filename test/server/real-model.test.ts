// The real model over HTTP: what the official client gets is what the library gives, bit by bit, alone or in a crowd.
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Llm, load } from '../../lib/index.ts'
import { type Server, serve } from '../../lib/server/index.ts'
import { testModel } from '../support/model.ts'

let llm: Llm
let server: Server
let client: OpenAI
beforeAll(async () => {
  llm = await load(await testModel(), { context: 1024, maxSequences: 16 })
  server = await serve(llm, { port: 0, names: ['model'] })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
})
afterAll(async () => {
  await server.close()
  await llm.dispose()
})

const create = (content: string, seed: number) => ({
  model: 'model',
  messages: [{ role: 'user' as const, content }],
  ...{ seed, max_tokens: 24, temperature: 1 },
})

it('40 streams at once are what each is alone, and every page comes back', async () => {
  const contents = Array.from({ length: 40 }, (_, i) => `Tell me of number ${i}.`)
  const alone: string[] = []
  for (const [seed, content] of contents.entries())
    alone.push((await llm.chat(content, { seed, maxTokens: 24, temperature: 1, topP: 1 })).text)
  const streams = contents.map(async (content, seed) => {
    const stream = client.chat.completions.stream({ ...create(content, seed), stream: true })
    return (await stream.finalChatCompletion()).choices[0]!.message.content
  })
  expect(await Promise.all(streams)).toEqual(alone)
  const { requests, running, waiting, pages, freePages } = llm.stats()
  expect({ requests, running, waiting, freePages }).toEqual({ requests: 0, running: 0, waiting: 0, freePages: pages })
})

it('a seed may be any integer', async () => {
  const answers = await Promise.all([-1, 2 ** 53, 7].map((seed) => client.chat.completions.create(create('Hi', seed))))
  const again = await client.chat.completions.create(create('Hi', -1))
  expect(again.choices[0]!.message).toEqual(answers[0]!.choices[0]!.message)
})

it('log-probabilities, embeddings and tokens are those of the library', async () => {
  const { choices } = await client.chat.completions.create({ ...create('Hi', 1), logprobs: true, top_logprobs: 2 })
  const own = await llm.chat('Hi', { seed: 1, maxTokens: 24, temperature: 1, topP: 1, logprobs: 2 })
  const content = choices[0]!.logprobs!.content!
  expect(content.map(({ logprob }) => logprob)).toEqual(own.logprobs!.map(({ logprob }) => logprob))
  expect(Buffer.from(content.flatMap(({ bytes }) => bytes!)).toString()).toBe(own.text)
  expect(content.map(({ top_logprobs }) => top_logprobs.length)).toEqual(own.logprobs!.map(({ top }) => top.length))

  const { data } = await client.embeddings.create({ model: 'model', input: ['one', 'two'] })
  expect(data.map(({ embedding }) => embedding)).toEqual((await llm.embed(['one', 'two'])).map((vector) => [...vector]))
  const completion = await client.completions.create({
    model: 'model',
    prompt: 'Once upon',
    temperature: 0,
    max_tokens: 8,
  })
  expect(completion.choices[0]!.text).toBe((await llm.generate('Once upon', { temperature: 0, maxTokens: 8 })).text)
})

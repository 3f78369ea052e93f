// Texts without a conversation: completions, embeddings, tokens.
import { describe, expect, it } from 'vitest'
import { MODEL, post, serving } from './client.ts'

const echoing = (prompt: string) => `after ${prompt}`

describe('/v1/completions', () => {
  it('continues one text or several, n times each', async () => {
    const { client } = await serving(echoing)
    const one = await client.completions.create({ model: MODEL, prompt: 'one' })
    expect(one).toMatchObject({
      object: 'text_completion',
      choices: [{ index: 0, text: 'after one', finish_reason: 'stop', logprobs: null }],
      usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
    })
    const many = await client.completions.create({ model: MODEL, prompt: ['one', 'two three'], n: 2, echo: true })
    expect(many.choices.map(({ index, text }) => [index, text])).toEqual([
      [0, 'oneafter one'],
      [1, 'oneafter one'],
      [2, 'two threeafter two three'],
      [3, 'two threeafter two three'],
    ])
    expect(many.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 14 })
  })

  it('takes ids for texts', async () => {
    const { client, llm } = await serving(echoing)
    const ids = await llm.tokenize('one two')
    const { choices } = await client.completions.create({ model: MODEL, prompt: [ids, ids.slice(0, 1)] })
    expect(choices.map(({ text }) => text)).toEqual(['after one two', 'after one'])
    const flat = await client.completions.create({ model: MODEL, prompt: ids })
    expect(flat.choices[0]!.text).toBe('after one two')
    await expect(client.completions.create({ model: MODEL, prompt: [-1] })).rejects.toMatchObject({ status: 400 })
  })

  it('streams them side by side', async () => {
    const { client } = await serving(echoing)
    const texts = ['', '', '', '']
    const ends: (string | null)[] = []
    const usages = []
    const create = {
      model: MODEL,
      prompt: ['a b', 'c d e'],
      n: 2,
      stream: true,
      stream_options: { include_usage: true },
    } as const
    for await (const { choices, usage } of await client.completions.create({ ...create, prompt: [...create.prompt] })) {
      if (usage) usages.push(usage)
      for (const { index, text, finish_reason } of choices) {
        texts[index] += text
        if (finish_reason) ends[index] = finish_reason
      }
    }
    expect(texts).toEqual(['after a b', 'after a b', 'after c d e', 'after c d e'])
    expect(ends).toEqual(['stop', 'stop', 'stop', 'stop'])
    expect(usages).toMatchObject([{ prompt_tokens: 5, completion_tokens: 18 }])
  })

  it('ends after 16 tokens unless told otherwise', async () => {
    const { client } = await serving(() => 'word '.repeat(100))
    const create = { model: MODEL, prompt: 'x' }
    expect((await client.completions.create(create)).usage!.completion_tokens).toBe(16)
    expect((await client.completions.create({ ...create, max_tokens: 20 })).choices[0]!.finish_reason).toBe('length')
  })

  it('has log-probabilities with offsets', async () => {
    const { client } = await serving(() => 'one two')
    const create = { model: MODEL, prompt: 'x', logprobs: 1 }
    const { logprobs } = (await client.completions.create(create)).choices[0]!
    expect(logprobs).toMatchObject({ tokens: ['one', ' two'], token_logprobs: [-1, -1], text_offset: [0, 3] })
    expect(logprobs!.top_logprobs![0]).toEqual({ one: -1 })
    const offsets: number[] = []
    for await (const { choices } of await client.completions.create({ ...create, stream: true }))
      offsets.push(...(choices[0]!.logprobs?.text_offset ?? []))
    expect(offsets).toEqual([0, 3])
  })

  it('one wrong text of several refuses all, and ends the others', async () => {
    const { client, llm } = await serving(() => 'word '.repeat(2000), { model: { context: 100 } })
    for (const stream of [false, true]) {
      const asked = client.completions.create({ model: MODEL, prompt: ['x', 'y '.repeat(200)], stream })
      await expect(asked).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' })
      expect(llm.stats().requests).toBe(0)
    }
  })
})

describe('/v1/embeddings', () => {
  it('gives vectors as floats and as base64', async () => {
    const { client, llm } = await serving([])
    const input = ['the red fox', 'a red fox', 'tax report']
    const [own] = await llm.embed(input)
    for (const encoding_format of ['float', 'base64', undefined] as const) {
      const { data, usage } = await client.embeddings.create({
        model: MODEL,
        input,
        ...(encoding_format && { encoding_format }),
      })
      const first = data[0]!.embedding as unknown as number[] | string
      // The client decodes base64 only where it asked for it by itself.
      const floats =
        typeof first === 'string' ? [...new Float32Array(Uint8Array.from(Buffer.from(first, 'base64')).buffer)] : first
      expect(floats).toEqual([...own!])
      expect(data.map(({ index }) => index)).toEqual([0, 1, 2])
      expect(usage).toEqual({ prompt_tokens: 8, total_tokens: 8 })
    }
    const ids = await llm.tokenize('the red fox')
    const byIds = await client.embeddings.create({ model: MODEL, input: [ids, ids] })
    expect(byIds.data[1]!.embedding).toEqual([...own!])
  })

  it('says what it cannot', async () => {
    const { url } = await serving([], { model: { context: 20 } })
    const ask = (fields: object) => post(`${url}/v1/embeddings`, { input: 'x', ...fields })
    expect(await ask({ dimensions: 8 })).toMatchObject({
      status: 400,
      body: { error: { param: 'dimensions', message: expect.stringContaining('32') } },
    })
    expect(await ask({ dimensions: 32 })).toMatchObject({ status: 200 })
    expect(await ask({ input: [] })).toMatchObject({ status: 400, body: { error: { param: 'input' } } })
    expect(await ask({ input: '' })).toMatchObject({ status: 400 })
    expect(await ask({ input: 'x '.repeat(50) })).toMatchObject({
      status: 400,
      body: { error: { code: 'context_length_exceeded' } },
    })
  })
})

it('/tokenize and /detokenize', async () => {
  const { url, llm } = await serving([])
  const { body } = await post(`${url}/tokenize`, { prompt: 'one two', return_token_strs: true })
  expect(body).toEqual({
    count: 2,
    max_model_len: 4096,
    tokens: await llm.tokenize('one two'),
    token_strs: ['one', ' two'],
  })
  expect(await post(`${url}/detokenize`, { tokens: body.tokens })).toMatchObject({
    status: 200,
    body: { prompt: 'one two' },
  })
  const chat = await post(`${url}/tokenize`, { messages: [{ role: 'user', content: 'Hi' }] })
  expect(llm.detokenize(chat.body.tokens)).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
  expect(await post(`${url}/detokenize`, { tokens: [1e9] })).toMatchObject({ status: 400 })
  expect(await post(`${url}/tokenize`, {})).toMatchObject({ status: 400 })
})

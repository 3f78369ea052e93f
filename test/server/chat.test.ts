// POST /v1/chat/completions through the official client.
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { MODEL, post, serving } from './client.ts'

type Message = OpenAI.ChatCompletionMessageParam
type Create = OpenAI.ChatCompletionCreateParamsNonStreaming

const messages: Message[] = [{ role: 'user', content: 'Hi' }]
const basic: Create = { model: MODEL, messages }

const weather: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Tells the weather.',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
}
const callOf = (city: string) => `<tool_call>\n{"name": "weather", "arguments": {"city": "${city}"}}\n</tool_call>`

describe('an answer', () => {
  it('has text, the reason of its end, and usage', async () => {
    const { client } = await serving(['Hello you.'])
    const answer = await client.chat.completions.create(basic)
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
    let text = ''
    let end: string | null | undefined
    for await (const chunk of await client.chat.completions.create({ ...basic, stream: true })) {
      expect(chunk).not.toHaveProperty('usage')
      text += chunk.choices[0]!.delta.content ?? ''
      end = chunk.choices[0]!.finish_reason
    }
    expect({ text, end }).toEqual({ text: 'one two three', end: 'stop' })

    const usages = []
    const options = { stream: true, stream_options: { include_usage: true } } as const
    for await (const { usage } of await client.chat.completions.create({ ...basic, ...options })) usages.push(usage)
    expect(usages.at(-1)).toMatchObject({ completion_tokens: 4 })
    expect(new Set(usages.slice(0, -1))).toEqual(new Set([null]))
  })

  it('ends at a stop string or a limit', async () => {
    const { client } = await serving(() => 'one two three four')
    const create = async (options: Partial<Create>) =>
      (await client.chat.completions.create({ ...basic, ...options })).choices[0]!
    expect(await create({ stop: ['three'] })).toMatchObject({ message: { content: 'one two ' }, finish_reason: 'stop' })
    expect(await create({ stop: null, max_tokens: 2 })).toMatchObject({
      message: { content: 'one two' },
      finish_reason: 'length',
    })
    expect((await create({ max_completion_tokens: 1, max_tokens: 3 })).message.content).toBe('one')
  })

  it('comes n times', async () => {
    const { client } = await serving(['one two', 'three four', 'five six', 'one two', 'three four', 'five six'])
    const { choices, usage } = await client.chat.completions.create({ ...basic, n: 3 })
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'one two'],
      [1, 'three four'],
      [2, 'five six'],
    ])
    expect(usage!.completion_tokens).toBe(9)
    const stream = client.chat.completions.stream({ model: MODEL, messages, n: 3 })
    expect((await stream.finalChatCompletion()).choices.map(({ message }) => message.content)).toEqual(
      choices.map(({ message }) => message.content),
    )
  })

  it('has log-probabilities, whole and streamed', async () => {
    const { client } = await serving(() => 'one two')
    const { choices } = await client.chat.completions.create({ ...basic, logprobs: true, top_logprobs: 2 })
    const { content } = choices[0]!.logprobs!
    expect(content!.map(({ token, logprob, bytes }) => ({ token, logprob, bytes }))).toEqual([
      { token: 'one', logprob: -1, bytes: [...Buffer.from('one')] },
      { token: ' two', logprob: -1, bytes: [...Buffer.from(' two')] },
    ])
    expect(content![0]!.top_logprobs.map(({ logprob }) => logprob)).toEqual([-1, -2])
    const stream = client.chat.completions.stream({ model: MODEL, messages, logprobs: true, top_logprobs: 2 })
    expect((await stream.finalChatCompletion()).choices[0]!.logprobs!.content).toEqual(content)
    expect((await client.chat.completions.create(basic)).choices[0]!.logprobs).toBeNull()
  })

  it('is told apart from thoughts', async () => {
    const { client } = await serving(() => ['<think>\n', 'Let me', ' see.', '\n</th', 'ink>\n\n', 'Yes', '.'])
    const { choices: whole, usage } = await client.chat.completions.create(basic)
    expect(whole[0]!.message).toMatchObject({ content: 'Yes.', reasoning_content: 'Let me see.' })
    expect(usage!.completion_tokens_details!.reasoning_tokens).toBe(5)
    let thoughts = ''
    let text = ''
    for await (const { choices } of await client.chat.completions.create({ ...basic, stream: true })) {
      thoughts += (choices[0]!.delta as { reasoning_content?: string }).reasoning_content ?? ''
      text += choices[0]!.delta.content ?? ''
    }
    expect({ thoughts, text }).toEqual({ thoughts: 'Let me see.', text: 'Yes.' })
  })
})

describe('tools', () => {
  it('are called, and get their results back to the model', async () => {
    const prompts: string[] = []
    const { client } = await serving((prompt) => {
      prompts.push(prompt)
      return prompt.includes('7 degrees') ? 'Cold.' : `Let me see.\n${callOf('Oslo')}\n${callOf('Bergen')}`
    })
    const first = await client.chat.completions.create({ ...basic, tools: [weather] })
    const { message, finish_reason } = first.choices[0]!
    expect({ finish_reason, content: message.content }).toEqual({ finish_reason: 'tool_calls', content: 'Let me see.' })
    const calls = message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[]
    expect(calls.map((call) => JSON.parse(call.function.arguments))).toEqual([{ city: 'Oslo' }, { city: 'Bergen' }])
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    const results = calls.map(({ id }): Message => ({ role: 'tool', tool_call_id: id, content: '7 degrees' }))
    const second = await client.chat.completions.create({
      ...basic,
      tools: [weather],
      messages: [...messages, message, ...results],
    })
    expect(second.choices[0]!.message.content).toBe('Cold.')
    expect(prompts[0]).toContain(JSON.stringify(weather))
    expect(prompts[1]).toContain('{"name":"weather","arguments":{"city":"Oslo"}}')
    expect(prompts[1]).toContain('<tool_response>\n7 degrees\n</tool_response>\n<tool_response>\n7 degrees')
  })

  it('stream as the client expects them', async () => {
    const { client } = await serving(() => [
      `Well. <tool`,
      `_call>{"name": "weather", "argum`,
      `ents": {"city": "Os`,
      `lo"}}</tool_call>`,
    ])
    const stream = client.chat.completions.stream({ model: MODEL, messages, tools: [weather] })
    const done: unknown[] = []
    stream.on('tool_calls.function.arguments.done', ({ name, arguments: input }) => done.push([name, input]))
    const deltas: string[] = []
    stream.on('tool_calls.function.arguments.delta', ({ arguments_delta }) => deltas.push(arguments_delta))
    const { choices } = await stream.finalChatCompletion()
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Well.',
        tool_calls: [{ type: 'function', function: { name: 'weather', arguments: '{"city": "Oslo"}' } }],
      },
    })
    expect(done).toEqual([['weather', '{"city": "Oslo"}']])
    expect(deltas.join('|')).toBe('|{"city": "Os|lo"}')
  })

  it('are left out with tool_choice none, and one at a time where that is asked', async () => {
    const { client } = await serving((prompt) =>
      prompt.includes('weather') ? `${callOf('A')}${callOf('B')}` : callOf('C'),
    )
    const none = await client.chat.completions.create({ ...basic, tools: [weather], tool_choice: 'none' })
    expect(none.choices[0]!.message).toMatchObject({ content: callOf('C') })
    const one = await client.chat.completions.create({ ...basic, tools: [weather], parallel_tool_calls: false })
    expect(one.choices[0]!.message.tool_calls).toHaveLength(1)
  })
})

it('reads parts of text, null content and the developer role', async () => {
  let seen = ''
  const { client } = await serving((prompt) => {
    seen = prompt
    return 'ok'
  })
  await client.chat.completions.create({
    model: MODEL,
    messages: [
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'one' },
          { type: 'text', text: 'two' },
        ],
      },
      { role: 'assistant', content: 'Yes' },
      { role: 'user', content: 'three' },
    ],
  })
  expect(seen).toMatch(/system\nBe brief\..*user\none\ntwo.*assistant\nYes.*user\nthree/s)
})

describe('a wrong request', () => {
  it.each<[string, object, object]>([
    ['temperature', { temperature: 3 }, { param: 'temperature', code: 'invalid_value' }],
    ['no messages', { messages: [] }, { param: 'messages' }],
    ['a role', { messages: [{ role: 'boss', content: '' }] }, { param: 'messages[0].role' }],
    [
      'an image',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
      { code: 'unsupported' },
    ],
    ['no content', { messages: [{ role: 'user' }] }, { param: 'messages[0].content' }],
    ['max_tokens', { max_tokens: 0 }, { param: 'max_tokens' }],
    ['stop', { stop: ['a', 'b', 'c', 'd', 'e'] }, { param: 'stop' }],
    ['n', { n: 129 }, { param: 'n' }],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }, { param: 'top_logprobs' }],
    ['top_logprobs alone', { top_logprobs: 2 }, { param: 'top_logprobs' }],
    ['stream_options alone', { stream_options: {} }, { param: 'stream_options' }],
    ['logit_bias', { logit_bias: { word: 1 } }, { param: 'logit_bias.word' }],
    ['logit_bias of no token', { logit_bias: { 99999999: 1 } }, { param: 'logitBias' }],
    ['a tool', { tools: [{ type: 'function', function: { name: 'a b' } }] }, { param: 'tools[0].function.name' }],
    [
      'a choice',
      { tools: [weather], tool_choice: { type: 'function', function: { name: 'x' } } },
      { param: 'tool_choice' },
    ],
    ['too long', { messages: [{ role: 'user', content: 'x '.repeat(5000) }] }, { code: 'context_length_exceeded' }],
    ['audio', { modalities: ['text', 'audio'] }, { param: 'modalities[1]' }],
    ['functions', { functions: [] }, { param: 'functions' }],
  ])('%s', async (_, fields, error) => {
    const { url } = await serving([])
    const answer = await post(`${url}/v1/chat/completions`, { messages, ...fields })
    expect(answer).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error', ...error } } })
    if ('stream_options' in fields) return
    const streamed = await post(`${url}/v1/chat/completions`, { messages, stream: true, ...fields })
    expect(streamed).toMatchObject({ status: 400, body: { error } })
  })

  it('is no JSON', async () => {
    const { url } = await serving([])
    for (const body of ['{', '', 'null', '[]', '"x"', '\u0000'])
      expect(await post(`${url}/v1/chat/completions`, body)).toMatchObject({ status: 400, body: { error: {} } })
  })
})

it('a failure of the engine is no secret, but says nothing of its inside', async () => {
  const logged: object[] = []
  const logger = { info() {}, warn() {}, error: (fields: object) => logged.push(fields) }
  const { client } = await serving(() => ['one', new Error('secret path /home/x')], { logger })
  await expect(client.chat.completions.create(basic)).rejects.toMatchObject({
    status: 500,
    type: 'server_error',
    message: expect.not.stringContaining('secret'),
  })
  const texts: string[] = []
  const streaming = async () => {
    for await (const { choices } of await client.chat.completions.create({ ...basic, stream: true }))
      texts.push(choices[0]!.delta.content ?? '')
  }
  await expect(streaming()).rejects.toMatchObject({ type: 'server_error' })
  expect(texts.join('')).toBe('one')
  expect(logged).toHaveLength(2)
  expect(JSON.stringify(logged.map((fields) => String((fields as { err: Error }).err)))).toContain('secret')
})

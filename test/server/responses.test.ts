// POST /v1/responses through the official client, whole and as the events that its helper understands.
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { MODEL, post, serving } from './client.ts'

const weather: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'weather',
  description: 'Tells the weather.',
  strict: false,
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
}
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'

describe('a response', () => {
  it('has its text and usage', async () => {
    const prompts: string[] = []
    const { client } = await serving((prompt) => {
      prompts.push(prompt)
      return 'Hello you.'
    })
    const response = await client.responses.create({
      model: MODEL,
      input: 'Hi',
      instructions: 'Be brief.',
      metadata: { a: 'b' },
    })
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      output_text: 'Hello you.',
      output: [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'Hello you.' }],
        },
      ],
      usage: { output_tokens: 3 },
      metadata: { a: 'b' },
    })
    expect(prompts[0]).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    )
    const cut = await client.responses.create({ model: MODEL, input: 'Hi', max_output_tokens: 1 })
    expect(cut).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output_text: 'Hello',
    })
  })

  it('streams events that add up to it', async () => {
    const { client } = await serving(() => [
      '<think>\nHm',
      'm.</think>',
      '\n\nWell. ',
      call.slice(0, 20),
      call.slice(20),
    ])
    const create = { model: MODEL, input: 'Hi', tools: [weather] }
    const whole = await client.responses.create(create)
    const types: string[] = []
    const stream = client.responses.stream(create)
    let numbers = 0
    for await (const event of stream) {
      if (types.at(-1) !== event.type) types.push(event.type)
      expect(event.sequence_number).toBe(numbers++)
    }
    expect(types).toEqual([
      ...['response.created', 'response.in_progress'],
      ...['response.output_item.added', 'response.content_part.added', 'response.reasoning_text.delta'],
      ...['response.reasoning_text.done', 'response.content_part.done', 'response.output_item.done'],
      ...['response.output_item.added', 'response.content_part.added', 'response.output_text.delta'],
      ...['response.output_text.done', 'response.content_part.done', 'response.output_item.done'],
      ...['response.output_item.added', 'response.function_call_arguments.delta'],
      ...['response.function_call_arguments.done', 'response.output_item.done', 'response.completed'],
    ])
    const final = await stream.finalResponse()
    expect(final.output_text).toBe('Well.')
    const plain = (output: unknown) =>
      JSON.parse(
        JSON.stringify(output)
          .replace(/"(msg|rs|fc|call)_\w+"/g, '"ID"')
          .replace(/,"parsed(_arguments)?":(null|\{[^}]*\})/g, ''),
      )
    expect(plain(final.output)).toEqual(plain(whole.output))
    expect(whole.output.map((item) => item.type)).toEqual(['reasoning', 'message', 'function_call'])
    expect(whole.output[0]).toMatchObject({ content: [{ type: 'reasoning_text', text: 'Hmm.' }] })
    expect(whole.output[2]).toMatchObject({ name: 'weather', arguments: '{"city": "Oslo"}' })
  })

  it('goes on from its own output and the results of calls', async () => {
    const prompts: string[] = []
    const { client } = await serving((prompt) => {
      prompts.push(prompt)
      return prompts.length === 1 ? `Let me see. ${call}` : 'Cold.'
    })
    const input: OpenAI.Responses.ResponseInputItem[] = [
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'How is' },
          { type: 'input_text', text: 'the weather?' },
        ],
      },
    ]
    const first = await client.responses.create({ model: MODEL, input, tools: [weather] })
    const called = first.output.find((item) => item.type === 'function_call')!
    const result = { type: 'function_call_output' as const, call_id: called.call_id, output: '7 degrees' }
    const second = await client.responses.create({
      ...{ model: MODEL, tools: [weather] },
      input: [...input, ...(first.output as OpenAI.Responses.ResponseInputItem[]), result],
    })
    expect(second.output_text).toBe('Cold.')
    expect(prompts[1]).toContain('user\nHow is\nthe weather?<|im_end|>')
    expect(prompts[1]).toContain(
      'assistant\nLet me see.\n<tool_call>\n{"name":"weather","arguments":{"city":"Oslo"}}\n</tool_call><|im_end|>',
    )
    expect(prompts[1]).toContain('user\n<tool_response>\n7 degrees\n</tool_response><|im_end|>')
  })

  it('has log-probabilities where they are asked for', async () => {
    const { client } = await serving(() => 'one two')
    const create = { model: MODEL, input: 'Hi', top_logprobs: 1, include: ['message.output_text.logprobs' as const] }
    const logprobs = (output: OpenAI.Responses.ResponseOutputItem[]) => {
      const [item] = output
      const content = item?.type === 'message' ? item.content[0] : undefined
      return content?.type === 'output_text'
        ? content.logprobs!.map(({ token, top_logprobs }) => [token, top_logprobs.length])
        : []
    }
    const expected = [
      ['one', 1],
      [' two', 1],
    ]
    expect(logprobs((await client.responses.create(create)).output)).toEqual(expected)
    expect(logprobs((await client.responses.stream(create).finalResponse()).output)).toEqual(expected)
  })
})

describe('a wrong request', () => {
  it.each<[string, object, object]>([
    ['input', { input: [] }, { param: 'input' }],
    ['a role', { input: [{ role: 'boss', content: '' }] }, { type: 'invalid_request_error' }],
    [
      'an image',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] },
      { code: 'unsupported' },
    ],
    ['a kept response', { input: 'Hi', previous_response_id: 'resp_1' }, { param: 'previous_response_id' }],
    ['another tool', { input: 'Hi', tools: [{ type: 'web_search' }] }, { param: 'tools[0].type' }],
    ['background', { input: 'Hi', background: true }, { param: 'background' }],
  ])('%s', async (_, fields, error) => {
    const { url } = await serving([])
    for (const stream of [false, true]) {
      const answer = await post(`${url}/v1/responses`, { ...fields, stream })
      expect(answer).toMatchObject({ status: 400, body: { error } })
    }
  })

  it('a failure in the middle is told', async () => {
    const { client } = await serving(() => ['one', new Error('gone')])
    const types: string[] = []
    const streaming = async () => {
      for await (const { type } of await client.responses.create({ model: MODEL, input: 'Hi', stream: true }))
        types.push(type)
    }
    await expect(streaming()).rejects.toMatchObject({ type: 'server_error' })
    expect(types.at(-1)).toBe('response.failed')
  })
})

// The forms that answers must have: what each endpoint asks of the model, and how forced calls are read.
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import type { Llm } from '../../lib/index.ts'
import { MODEL, post, serving } from './client.ts'

const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Hi' }]
const tool = (name: string, parameters: object): OpenAI.ChatCompletionFunctionTool => ({
  type: 'function',
  function: { name, parameters: parameters as Record<string, unknown> },
})

/** A model that is asked for formats: they are noted, and the script answers. */
async function asked(answer: string) {
  const world = await serving(() => answer)
  const formats: unknown[] = []
  const noting = <K extends 'chat' | 'generate'>(method: K) => {
    const own = world.llm[method].bind(world.llm) as (input: never, options?: object) => ReturnType<Llm[K]>
    world.llm[method] = ((input: never, { format, ...options }: { format?: object }) => {
      formats.push(format)
      return own(input, options)
    }) as never
  }
  noting('chat')
  noting('generate')
  return { ...world, formats }
}

describe('a format', () => {
  it.each<[string, object, object | undefined]>([
    ['text', { response_format: { type: 'text' } }, undefined],
    ['json_object', { response_format: { type: 'json_object' } }, { type: 'json_object' }],
    [
      'json_schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } } },
      { type: 'json_schema', schema },
    ],
    ['guided_json', { guided_json: schema }, { type: 'json_schema', schema }],
    ['guided_json as text', { guided_json: JSON.stringify(schema) }, { type: 'json_schema', schema }],
    ['guided_regex', { guided_regex: '[ab]+' }, { type: 'regex', pattern: '[ab]+' }],
    ['guided_choice', { guided_choice: ['a.b', 'c|d'] }, { type: 'regex', pattern: 'a\\.b|c\\|d' }],
    ['guided_grammar', { guided_grammar: 'root ::= "a"' }, { type: 'grammar', source: 'root ::= "a"' }],
    ['structured_outputs', { structured_outputs: { regex: 'a' } }, { type: 'regex', pattern: 'a' }],
  ])('%s', async (_, fields, format) => {
    const { url, formats } = await asked('ok')
    for (const [path, input] of [
      ['/v1/chat/completions', { messages }],
      ['/v1/completions', { prompt: 'Hi' }],
    ] as const)
      expect(await post(url + path, { ...input, ...fields })).toMatchObject({ status: 200 })
    expect(formats).toEqual([format, format])
  })

  it('of a response', async () => {
    const { client, formats } = await asked('{"a":"b"}')
    const format = { type: 'json_schema' as const, name: 'x', schema, strict: true }
    const { output_text } = await client.responses.create({ model: MODEL, input: 'Hi', text: { format } })
    expect(output_text).toBe('{"a":"b"}')
    expect(formats).toEqual([{ type: 'json_schema', schema }])
  })

  it('is one', async () => {
    const { url } = await asked('ok')
    const both = { messages, guided_regex: 'a', response_format: { type: 'json_object' } }
    expect(await post(`${url}/v1/chat/completions`, both)).toMatchObject({ status: 400 })
    const broken = { messages, guided_json: '{' }
    expect(await post(`${url}/v1/chat/completions`, broken)).toMatchObject({
      status: 400,
      body: { error: { param: 'guided_json' } },
    })
  })
})

describe('a call that is insisted on', () => {
  const [f, g] = [
    tool('f', schema),
    tool('g', { type: 'object', properties: { x: { $ref: '#/$defs/x' } }, $defs: { x: {} } }),
  ]

  it('of one function is its arguments', async () => {
    const { client, formats } = await asked('{"a":"b"}')
    const create = {
      model: MODEL,
      messages,
      tools: [f, g],
      tool_choice: { type: 'function', function: { name: 'f' } },
    } as const
    const { choices } = await client.chat.completions.create({ ...create, tools: [...create.tools] })
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'f', arguments: '{"a":"b"}' } }] },
    })
    const stream = client.chat.completions.stream({ ...create, tools: [...create.tools] })
    expect((await stream.finalChatCompletion()).choices[0]!.message.tool_calls![0]).toMatchObject({
      function: { name: 'f', arguments: '{"a":"b"}' },
    })
    expect(formats).toEqual([
      { type: 'json_schema', schema },
      { type: 'json_schema', schema },
    ])
  })

  it('of any function is a list of calls', async () => {
    const { client, formats } = await asked('[{"name":"g","arguments":{"x":1}},{"name":"f","arguments":{"a":"b"}}]')
    const create = { model: MODEL, messages, tools: [f, g], tool_choice: 'required' as const }
    const { choices } = await client.chat.completions.create(create)
    const called = choices[0]!.message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[]
    expect(called.map(({ function: { name, arguments: input } }) => [name, input])).toEqual([
      ['g', '{"x":1}'],
      ['f', '{"a":"b"}'],
    ])
    const [{ schema: list }] = formats as [{ schema: Record<string, unknown> }]
    expect(list).toMatchObject({ type: 'array', minItems: 1 })
    expect(list).not.toHaveProperty('maxItems')
    // What a schema refers to has moved with it.
    expect(JSON.stringify(list)).toContain('"$ref":"#/items/anyOf/1/properties/arguments/$defs/x"')
    const response = await client.responses.create({
      ...{ model: MODEL, input: 'Hi', tool_choice: 'required' as const, parallel_tool_calls: false },
      tools: [
        { type: 'function', name: 'f', parameters: schema, strict: false },
        { type: 'function', name: 'g', parameters: {}, strict: false },
      ],
    })
    expect(response.output.map((item) => item.type)).toEqual(['function_call', 'function_call'])
    expect(formats[1]).toMatchObject({ schema: { maxItems: 1 } })
  })
})

// The AI SDK's own functions over kvasir/ai: scripted answers for what must be exact, and the real model once.
import { embedMany, generateObject, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createKvasir, embeddingModel, languageModel } from '../../lib/ai/index.ts'
import { scripted } from '../../lib/testing/index.ts'
import { testModel } from '../support/model.ts'

const weather = tool({
  description: 'Tells the weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, degrees: 7 }),
})
const call = (city: string) => `<tool_call>\n{"name": "weather", "arguments": {"city": "${city}"}}\n</tool_call>`

describe('generateText', () => {
  it('gives text, usage and the reason of its end', async () => {
    const model = languageModel(scripted(['<think>\nEasy.\n</think>\n\nHello you.', '  two spaces']))
    const { text, reasoningText, usage, finishReason } = await generateText({ model, prompt: 'Hi' })
    expect({ text, reasoningText, finishReason }).toEqual({
      text: 'Hello you.',
      reasoningText: 'Easy.',
      finishReason: 'stop',
    })
    expect(usage.outputTokens).toBe(6) // five words and the end
    expect(usage.totalTokens).toBe(usage.inputTokens! + 6)
    expect((await generateText({ model, prompt: 'Hi' })).text).toBe('  two spaces')
  })

  it('passes the options on', async () => {
    const model = languageModel(scripted(() => 'one two three four'))
    const options = { model, prompt: 'Hi', maxRetries: 0 }
    expect(await generateText({ ...options, maxOutputTokens: 2 })).toMatchObject({
      text: 'one two',
      finishReason: 'length',
    })
    expect((await generateText({ ...options, stopSequences: ['three'] })).text).toBe('one two ')
    const wrong = generateText({ ...options, providerOptions: { kvasir: { minP: 7 } } })
    await expect(wrong).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    const image = { type: 'image', image: new Uint8Array(4), mediaType: 'image/png' } as const
    const picture = generateText({ model, maxRetries: 0, messages: [{ role: 'user', content: [image] }] })
    await expect(picture).rejects.toMatchObject({ code: 'KV_UNSUPPORTED' })
  })

  it('calls tools, two at once, and gives their results back to the model', async () => {
    const prompts: string[] = []
    const model = languageModel(
      scripted((prompt) => {
        prompts.push(prompt)
        return prompts.length === 1 ? `Let me see.\n${call('Oslo')}\n${call('Bergen')}` : 'Cold in both.'
      }),
    )
    const result = await generateText({
      model,
      system: 'Be brief.',
      prompt: 'How is the weather?',
      tools: { weather },
      stopWhen: stepCountIs(3),
    })
    expect(result.text).toBe('Cold in both.')
    const [first] = result.steps
    expect(first!.finishReason).toBe('tool-calls')
    expect(first!.toolCalls.map(({ input }) => input)).toEqual([{ city: 'Oslo' }, { city: 'Bergen' }])
    expect(prompts[0]).toContain('"name":"weather","description":"Tells the weather of a city."')
    expect(prompts[0]).toMatch(/system\nBe brief\.\n\n# Tools/)
    expect(prompts[1]).toMatch(
      /assistant\nLet me see\.\s+<tool_call>\n\{"name":"weather","arguments":\{"city":"Oslo"\}\}/,
    )
    expect(prompts[1]).toContain('<tool_response>\n{"city":"Bergen","degrees":7}\n</tool_response>')
  })

  it('makes objects', async () => {
    const model = languageModel(
      scripted((prompt) => (prompt.includes('"required":["name","age"]') ? '{"name": "Ada", "age": 36}' : 'no schema')),
    )
    const schema = z.object({ name: z.string(), age: z.number() })
    const { output } = await generateText({ model, prompt: 'Who?', output: Output.object({ schema }) })
    expect(output).toEqual({ name: 'Ada', age: 36 })
  })
})

describe('streamText', () => {
  it('streams reasoning, text and tool calls as the SDK expects them', async () => {
    const answer = ['<thi', 'nk>Hm', 'm</think>', '\n', 'It is ', '<b>', 'so', '</b>. ', '<tool', '_call>{"name": ']
    const model = languageModel(scripted([[...answer, '"weather", "arguments": {"city": "Oslo"}}</tool_', 'call>']]))
    const result = streamText({ model, prompt: 'Hi', tools: { weather } })
    const parts: string[] = []
    let text = ''
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') text += part.text
      if (parts.at(-1) !== part.type) parts.push(part.type)
    }
    expect(text).toBe('It is <b>so</b>.')
    expect(parts.join(' ')).toBe(
      'start start-step reasoning-start reasoning-delta reasoning-end text-start text-delta text-end ' +
        'tool-input-start tool-input-delta tool-input-end tool-call tool-result finish-step finish',
    )
    expect(await result.reasoningText).toBe('Hmm')
    expect(await result.finishReason).toBe('tool-calls')
  })

  it('ends the work when its signal fires', async () => {
    const llm = scripted(() => 'word '.repeat(1000), { delayMs: 5 })
    const controller = new AbortController()
    const result = streamText({ model: languageModel(llm), prompt: 'Hi', abortSignal: controller.signal })
    const parts = new Set<string>()
    for await (const { type } of result.fullStream) {
      parts.add(type)
      if (type === 'text-delta') controller.abort()
    }
    expect(parts).toContain('abort')
    expect(parts).not.toContain('error')
    await llm.dispose() // would wait for a generation that goes on
  })
})

it('embedMany gives vectors', async () => {
  const values = ['the red fox', 'a red fox', 'tax report']
  const { embeddings, usage } = await embedMany({ model: embeddingModel(scripted([])), values })
  expect(embeddings.map(({ length }) => length)).toEqual([32, 32, 32])
  expect(usage.tokens).toBe(8)
})

it('a provider loads the real model once, at its first call', async () => {
  const kvasir = createKvasir()
  const model = kvasir(await testModel())
  const prompt = 'What is the capital of Norway?'
  const answers = await Promise.all([1, 2].map(() => generateText({ model, prompt, temperature: 0 })))
  for (const { text } of answers) expect(text).toMatch(/Oslo/)
  const { textStream } = streamText({ model, prompt, temperature: 0 })
  let streamed = ''
  for await (const piece of textStream) streamed += piece
  expect(streamed).toBe(answers[0]!.text)
  await kvasir.dispose()
  await expect(generateText({ model: kvasir('no-such-model'), prompt, maxRetries: 0 })).rejects.toMatchObject({
    code: 'KV_NOT_FOUND',
  })
})

it('objects follow their schema, whatever the real model would say', async () => {
  const kvasir = createKvasir()
  const model = kvasir(await testModel())
  const schema = z.object({ name: z.string().max(30), age: z.number().int().min(0).max(120), alive: z.boolean() })
  for (const seed of [1, 2, 3]) {
    const { object } = await generateObject({
      model,
      schema,
      prompt: 'Invent a person.',
      temperature: 1.5,
      seed,
      maxRetries: 0,
    })
    expect(schema.safeParse(object).success).toBe(true)
  }
  await kvasir.dispose()
})

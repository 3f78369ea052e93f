// Answers in a format from the real model: what comes out is in it, the same whatever shares the steps (law 3), for each of n answers, and even where maxTokens cuts it short.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Llm, type LoadOptions, load, type OutputFormat } from '../../lib/index.ts'
import { testModel } from '../support/model.ts'

const person: OutputFormat = {
  type: 'json_schema',
  schema: {
    type: 'object',
    properties: {
      name: { type: 'string', maxLength: 30 },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      tags: { type: 'array', items: { enum: ['kind', 'tall', 'old'] }, maxItems: 3 },
    },
    required: ['name', 'age', 'tags'],
  },
}
const formats: OutputFormat[] = [
  person,
  { type: 'json_object' },
  { type: 'regex', pattern: '(Yes|No), because [a-z ,]{20,80}\\.' },
  { type: 'grammar', source: 'root ::= line{2,4}\nline ::= [A-Z] [a-z ]{5,30} "\\n"' },
]

let model: string
let llm: Llm
beforeAll(async () => {
  model = await testModel()
  llm = await load(model)
})
afterAll(() => llm.dispose())

const ask = async (llm: Llm, i: number) => {
  const options = { format: formats[i % formats.length]!, temperature: 1, seed: i, maxTokens: 60, logprobs: true }
  const { tokens, logprobs, finishReason } = await llm.chat(`Tell me about number ${i} of the people.`, options)
  return { tokens, logprobs: logprobs!.map(({ logprob }) => logprob), finishReason }
}

describe('law 3', () => {
  const count = 12
  const together = async (options: LoadOptions) => {
    await using llm = await load(model, { context: 256, ...options })
    const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(llm, i)))
    return answers
  }

  it('holds in a batch, in small steps and in a small cache', async () => {
    const alone: Awaited<ReturnType<typeof ask>>[] = []
    await using single = await load(model, { context: 256, threads: 1, prefixCache: false })
    for (let i = 0; i < count; i++) alone.push(await ask(single, i))
    expect(await together({ threads: 2 })).toEqual(alone)
    expect(await together({ maxTokens: 12, maxSequences: 12 })).toEqual(alone)
    // Where the cache is this small, answers may be pre-empted; whether they are depends on the time of the steps.
    expect(await together({ pages: 12, maxSequences: 12 })).toEqual(alone)
  })
})

describe('an answer', () => {
  it('is complete at maxTokens', async () => {
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        llm.chat('Who?', { format: person, temperature: 1, seed: i, maxTokens: 26 + (i % 7) }),
      ),
    )
    for (const { text } of made) expect(Object.keys(JSON.parse(text))).toEqual(['name', 'age', 'tags'])
  })

  it('is one of n, each with a grammar of its own', async () => {
    const { choices } = await llm.chat('Who?', { format: person, temperature: 1, seed: 7, n: 5, maxTokens: 80 })
    for (const { text } of choices!) expect(JSON.parse(text).age).toBeLessThanOrEqual(120)
    expect(new Set(choices!.map(({ text }) => text)).size).toBeGreaterThan(1)
    const { text } = await llm.chat('Who?', { format: person, temperature: 1, seed: 9, maxTokens: 80 })
    expect(text).toBe(choices![2]!.text)
  })

  it('ends by itself where nothing may follow, and at a stop token only where it may', async () => {
    const format: OutputFormat = { type: 'regex', pattern: '[ab]{3,5}' }
    for (const ignoreEos of [true, false]) {
      const { text, finishReason } = await llm.chat('Say a', { format, ignoreEos, temperature: 1, seed: 5 })
      expect(text).toMatch(/^[ab]{3,5}$/)
      expect(finishReason).toBe('stop')
    }
  })

  it('keeps its form under penalties, a bias and filters', async () => {
    const options = { topK: 1, minP: 0.9, presencePenalty: 2, repetitionPenalty: 3, logitBias: { 0: 100, 5: 100 } }
    const { text } = await llm.chat('Who?', { format: person, temperature: 1.5, maxTokens: 90, ...options })
    expect(() => JSON.parse(text)).not.toThrow()
  })

  it('may be aborted', async () => {
    const generation = llm.chat('Who?', { format: { type: 'regex', pattern: '[a-z ]{900,}' } })
    for await (const _ of generation) break
    expect((await generation).finishReason).toBe('abort')
  })
})

describe('a format is refused before anything runs', () => {
  it.each<[object, string, RegExp]>([
    [{ type: 'json' }, 'KV_ARGUMENT', /format.type/],
    [{ type: 'regex' }, 'KV_ARGUMENT', /format.pattern/],
    [{ type: 'regex', pattern: '(' }, 'KV_ARGUMENT', /format.pattern: .*Unterminated group/],
    [{ type: 'regex', pattern: '(a)\\1' }, 'KV_UNSUPPORTED', /back reference/],
    [{ type: 'regex', pattern: '[]' }, 'KV_UNSUPPORTED', /no text satisfies it/],
    [{ type: 'grammar', source: 'root ::= a' }, 'KV_ARGUMENT', /line 1: there is no rule called a/],
    [{ type: 'grammar', source: 'root ::= a\na ::= root "x" | "y"' }, 'KV_ARGUMENT', /begins with itself/],
    [{ type: 'json_schema', schema: [] }, 'KV_ARGUMENT', /format.schema/],
    [{ type: 'json_schema', schema: { type: 'text' } }, 'KV_ARGUMENT', /format.schema\/type: expected one of/],
    [{ type: 'json_schema', schema: { properties: { a: { $ref: '#/x' } } } }, 'KV_ARGUMENT', /properties\/a\/\$ref/],
    [
      { type: 'json_schema', schema: { type: 'array', contains: { type: 'string' }, maxContains: 2 } },
      'KV_UNSUPPORTED',
      /format.schema\/maxContains/,
    ],
    [{ type: 'json_schema', schema: { type: 'integer', enum: ['a'] } }, 'KV_UNSUPPORTED', /no text satisfies it/],
  ])('%j', async (format, code, message) => {
    await expect(llm.chat('Hi', { format: format as OutputFormat })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })
})

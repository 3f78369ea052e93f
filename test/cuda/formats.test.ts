// Answers in a format with device: 'cuda' over the look-alike driver: the tokens of the processor, alone and among others,
// with free answers in the same steps.
import { beforeAll, expect, it } from 'vitest'
import { type LoadOptions, load, type OutputFormat } from '../../lib/index.ts'
import { checkoutFixture } from '../support/expected.ts'
import { lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const schema = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 0, maximum: 120 } },
  required: ['name', 'age'],
}
const formats: (OutputFormat | undefined)[] = [
  { type: 'json_schema', schema },
  { type: 'regex', pattern: '(Yes|No), [a-z ]{3,9}\\.' },
  undefined,
  { type: 'json_object' },
  { type: 'regex', pattern: 'ab' },
]

beforeAll(() => {
  Object.assign(process.env, lookalike())
})

async function answers(options: LoadOptions, count: number, together: boolean) {
  await using llm = await load(checkoutFixture('llama', folder), { context: 256, prefixCache: false, ...options })
  const ask = async (i: number) => {
    const format = formats[i % formats.length]
    const more = { ...(format && { format }), ...(i % 3 === 0 ? { logprobs: 2 } : {}) }
    const sampling = { temperature: i % 4 === 0 ? 0 : 1, seed: i, topP: 0.95, frequencyPenalty: i % 2 ? 0.3 : 0 }
    const { text, tokens, finishReason } = await llm.generate([5 + i, 6, 7], { maxTokens: 24, ...sampling, ...more })
    return { text, tokens, finishReason }
  }
  const numbers = [...Array(count).keys()]
  if (together) return await Promise.all(numbers.map(ask))
  const one = []
  for (const i of numbers) one.push(await ask(i))
  return one
}

it('has the tokens of the processor, whatever the batch', async () => {
  const processor = await answers({}, 15, true)
  for (const [i, { text, finishReason }] of processor.entries()) {
    if (i % formats.length === 1) expect(text).toMatch(/^(Yes|No), [a-z ]{3,9}\.$/)
    if (i % formats.length === 4) expect(text).toBe('ab')
    if (i % formats.length === 0) expect(JSON.parse(text)).toMatchObject({ name: expect.any(String) })
    if (i % formats.length !== 2) expect(finishReason).toBe('stop')
  }
  expect(await answers({ device: 'cuda', maxSequences: 16 }, 15, true)).toEqual(processor)
  expect(await answers({ device: 'cuda', maxSequences: 3, maxTokens: 7 }, 15, true)).toEqual(processor)
  expect(await answers({ device: 'cuda' }, 5, false)).toEqual(processor.slice(0, 5))
})

it('ends with calls that are given up in the middle', async () => {
  await using llm = await load(checkoutFixture('llama', folder), { context: 256, device: 'cuda', maxSequences: 4 })
  const abort = new AbortController()
  const format: OutputFormat = { type: 'regex', pattern: '[a-z ]{200}' }
  const calls = [1, 2, 3].map((seed) =>
    llm.generate([5, 6], { format, temperature: 1, seed, maxTokens: 250, signal: abort.signal }).then(
      () => 'done',
      (error: unknown) => (error as { code?: string }).code,
    ),
  )
  setTimeout(() => abort.abort(), 60)
  expect(await Promise.all(calls)).toEqual(['KV_ABORTED', 'KV_ABORTED', 'KV_ABORTED'])
  expect((await llm.generate([5, 6], { format: { type: 'regex', pattern: 'xy' }, maxTokens: 9 })).text).toBe('xy')
})

// GGUF files in every number format against PyTorch with the same rounding of activations: block layouts, metadata,
// rotary layouts and the groups of the arithmetic must be as the contracts say. make_gguf.py says why most of the
// short prompts must agree closely, and not all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Llm, load } from '../../lib/index.ts'
import { type ExpectedGguf, expectedOfGguf, GGUF_FILES } from '../support/expected.ts'
import { maxDifference, nextLogprobs } from '../support/logits.ts'

const CLOSE = 1e-4

const rms = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.sqrt(a.length)

describe.each(GGUF_FILES)('%s', (name) => {
  let llm: Llm
  let expected: ExpectedGguf
  beforeAll(async () => {
    expected = expectedOfGguf(name)
    llm = await load(expected.path, { kv: 'f32', context: 128 })
  })
  afterAll(() => llm?.dispose())

  it('rounds as simulated: most short prompts agree to float32', async () => {
    const differences = await Promise.all(
      expected.short.map(async ({ tokens, next }) => maxDifference(await nextLogprobs(llm, tokens), next)),
    )
    const close = differences.filter((difference) => difference < CLOSE)
    expect(close.length, `of ${differences}`).toBeGreaterThan(differences.length / 2)
    expect(Math.max(...differences)).toBeLessThan(0.1)
  })

  it('is nearer to the simulation than to exact arithmetic over a long prompt', async () => {
    const scores = await nextLogprobs(llm, expected.tokens)
    expect(rms(scores, expected.next)).toBeLessThan(rms(expected.exact, expected.next))
    expect(rms(scores, expected.next)).toBeLessThan(0.04)
  })
})

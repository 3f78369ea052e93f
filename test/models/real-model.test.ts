// The real model, with its quantised weights and 8-bit activations, against float32 arithmetic on the same weights.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { load } from '../../lib/index.ts'
import { expectedOfRealModel } from '../support/expected.ts'
import { testModel } from '../support/model.ts'

const TEXT = join(__dirname, '..', '..', 'bench', 'data', 'wikitext-2-test-100k.txt')

// A simulation of our arithmetic in PyTorch differs from float32 by 0.09 (root mean square) a token and by 0.003 on
// average (standard error 0.001 over 20,000 tokens, so 0.004 over these 511).
const RMS = 0.15
const MEAN = 0.015

describe('SmolLM2-135M-Instruct Q4_1', () => {
  let model: string
  const expected = expectedOfRealModel()
  beforeAll(async () => {
    model = await testModel()
  })

  it.each(['kv8', 'f16', 'f32'] as const)('scores a text as float32 does, with %s', async (kv) => {
    await using llm = await load(model, { kv, context: 1024, maxSequences: 1 })
    const scores = await llm.score(expected.tokens)
    const differences = Array.from(scores, (logprob, i) => logprob - expected.next[i]!)
    const mean = differences.reduce((sum, d) => sum + d, 0) / differences.length
    const rms = Math.hypot(...differences) / Math.sqrt(differences.length)
    expect(rms).toBeLessThan(RMS)
    expect(Math.abs(mean)).toBeLessThan(MEAN)
  })

  it('cuts the text into the same tokens', async () => {
    await using llm = await load(model, { context: 1024, maxSequences: 1 })
    const ids = await llm.tokenize(readFileSync(TEXT, 'utf8').slice(0, 20_000), { special: false })
    expect(ids.slice(0, expected.tokens.length)).toEqual(expected.tokens)
  })
})

// The real model with device: 'cuda' over the look-alike driver: seconds a step, so few of them; the rest under
// KVASIR_TEST=full.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LoadOptions, load } from '../../lib/index.ts'
import { cardReports, lookalike } from '../support/lookalike.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const full = process.env['KVASIR_TEST'] === 'full'
const report = join(temporaryFolder(), 'report')
const ask = { temperature: 0, maxTokens: full ? 24 : 3, ignoreEos: true, logprobs: true }
const options: LoadOptions = { context: 1024, maxSequences: 4, prefixCache: false }
let model: string

beforeAll(async () => {
  Object.assign(process.env, lookalike({ KVASIR_SIMT_REPORT: report }))
  model = await testModel()
})

describe('SmolLM2', () => {
  it('answers the same alone, in another batch and on the processor, by replays', async () => {
    const prompts = ['The capital of France is', 'Once upon a time there', '1, 2, 3,']
    await using card = await load(model, { ...options, device: 'cuda' })
    await using processor = await load(model, options)
    const alone = await card.generate(prompts[0]!, ask)
    const [again] = await Promise.all(prompts.map((prompt) => card.generate(prompt, ask)))
    expect(again!.logprobs).toEqual(alone.logprobs)
    expect(alone.tokens).toEqual((await processor.generate(prompts[0]!, ask)).tokens)
    expect(alone.text).toMatch(/^ Paris/)
    await card.dispose()
    const { graphLaunches, graphKernels, allocations, objects } = cardReports(report).at(-1)!
    expect(graphLaunches).toBeGreaterThan(1)
    expect(graphKernels).toBeGreaterThan(200 * graphLaunches)
    expect({ allocations, objects }).toEqual({ allocations: 0, objects: 0 })
  })

  it.runIf(full)(
    'has the perplexity of the processor on 512 tokens',
    async () => {
      const text = readFileSync(join(__dirname, '..', '..', 'bench', 'data', 'wikitext-2-test-100k.txt'), 'utf8')
      const perplexity = async (more: LoadOptions) => {
        await using llm = await load(model, { ...options, ...more })
        const scores = await llm.score((await llm.tokenize(text.slice(0, 4000), { special: false })).slice(0, 512))
        return Math.exp(-scores.reduce((sum, logprob) => sum + logprob, 0) / scores.length)
      }
      const [card, processor] = [await perplexity({ device: 'cuda' }), await perplexity({})]
      console.log(`perplexity on 512 tokens: ${card} on the card, ${processor} on the processor`)
      expect(Math.abs(card / processor - 1)).toBeLessThan(0.005)
    },
    1200_000,
  )
})

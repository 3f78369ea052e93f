// Kernels for compute capability 9.0 whose bits are their own, in whole models over the look-alike driver: f16 keys and values by
// wgmma. They are near the processor's, and nothing but a token's own past may change them: no batch, no cut of a prompt,
// no cache.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LoadOptions, load } from '../../lib/index.ts'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { maxDifference } from '../support/logits.ts'
import { cardReports, inProcess, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const reportFile = join(folder, 'report')
let driver: Record<string, string>

beforeAll(() => {
  driver = lookalike({ KVASIR_SIMT_COMPUTE: '90', KVASIR_SIMT_REPORT: reportFile })
  Object.assign(process.env, driver)
})

interface Model {
  name: string
  dtype: 'F32' | 'F16' | 'BF16'
  config: Record<string, unknown>
}
const models: Model[] = [
  { name: 'heads of 64', dtype: 'F16', config: { hidden_size: 192, num_attention_heads: 3, num_key_value_heads: 1 } },
  { name: 'heads of 128', dtype: 'BF16', config: { hidden_size: 256, num_attention_heads: 2, num_key_value_heads: 2 } },
  {
    name: 'a window',
    dtype: 'F16',
    config: {
      hidden_size: 128,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      model_type: 'mistral',
      sliding_window: 40,
    },
  },
]
const tokens = Array.from({ length: 90 }, (_, i) => (i * 37 + 11) % 290)

const pathOf = ({ name, dtype, config }: Model) => {
  const path = join(folder, name.replaceAll(' ', '-'))
  writeTinyFolder(path, { dtype, config })
  return path
}

/** Log-probabilities of a text and of a few answers, the answers one after another or at once. */
async function run(path: string, options: LoadOptions, together: boolean) {
  await using llm = await load(path, { context: 256, maxSequences: 6, kv: 'f16', ...options })
  const prompts = [tokens.slice(0, 70), tokens.slice(0, 61), tokens.slice(20, 23), tokens.slice(3, 38)]
  const ask = (prompt: number[]) =>
    llm.generate(prompt, { temperature: 0, maxTokens: 6, ignoreEos: true, logprobs: true })
  const scores = await llm.score(tokens)
  const answers = []
  if (together) answers.push(...(await Promise.all(prompts.map(ask))))
  else for (const prompt of prompts) answers.push(await ask(prompt))
  return {
    isa: llm.info.isa,
    scores: scores.map((one) => one),
    answers: answers.map(({ tokens, logprobs }) => ({ tokens, logprobs: logprobs!.map((one) => one.logprob) })),
  }
}

describe.each(models)('$name', (model) => {
  it('is near the processor, whatever shares a step and however a prompt comes', async () => {
    const path = pathOf(model)
    const card = await run(path, { device: 'cuda', prefixCache: false }, false)
    expect(card.isa).toBe('sm_90a')
    expect(cardReports(reportFile).at(-1)!.wgmmaKernels).toBeGreaterThan(50)
    expect(await run(path, { device: 'cuda', prefixCache: false }, true)).toEqual(card)
    expect(await run(path, { device: 'cuda' }, false)).toEqual(card)
    expect(await run(path, { device: 'cuda', maxTokens: 13 }, true)).toEqual(card)
    const processor = await run(path, {}, false)
    expect(maxDifference(card.scores, processor.scores)).toBeLessThan(0.01)
    expect(card.scores).not.toEqual(processor.scores)
  })
})

// Twenty seconds of waiting.
it.runIf(process.env['KVASIR_TEST'] === 'full')(
  'gives the card up where a kernel does not end, and says so',
  () => {
    const script = `report(await load(${JSON.stringify(pathOf(models[0]!))}, { device: 'cuda', kv: 'f16' }).catch(
    ({ code, message }) => ({ code, message })))
    process.exit(0)`
    expect(inProcess({ ...driver, KVASIR_SIMT_STUCK: 'attention_wgmma_' }, script)).toEqual({
      code: 'KV_NATIVE',
      message: expect.stringMatching(/does not end on Emulated card 0: load in a new process with KVASIR_CUDA_WGMMA=0/),
    })
  },
  120_000,
)

it('is left out where it does not work, and where it is not wanted', () => {
  const path = pathOf(models[0]!)
  const ways: Record<string, string>[] = [{ KVASIR_SIMT_BROKEN: '_wgmma_' }, { KVASIR_CUDA_WGMMA: '0' }]
  const found = ways.map((settings) =>
    inProcess<{ isa: string; card: number[]; processor: number[] }>(
      { ...driver, ...settings },
      `const scores = [], isas = []
       for (const device of ['cuda', 'cpu']) {
         const llm = await load(${JSON.stringify(path)}, { device, context: 128, maxSequences: 1, kv: 'f16' })
         scores.push([...(await llm.score(${JSON.stringify(tokens)}))])
         isas.push(llm.info.isa)
         await llm.dispose()
       }
       report({ isa: isas[0], card: scores[0], processor: scores[1] })`,
    ),
  )
  for (const { isa, card, processor } of found) {
    expect(isa).toMatch(/^sm_90a?$/)
    expect(maxDifference(card, processor)).toBeLessThan(1e-5)
  }
})

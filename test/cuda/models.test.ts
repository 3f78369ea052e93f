// Whole models with device: 'cuda' over the look-alike driver. Every kernel gives the processor's bits but one: the sum under
// a log-probability is taken in another order. So embeddings, greedy and sampled answers are compared by equality, and
// log-probabilities to rounding, with transformers' figures too.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LoadOptions, load, type TokenLogprob } from '../../lib/index.ts'
import { checkoutFixture, expectedOf, expectedOfGguf } from '../support/expected.ts'
import { maxDifference } from '../support/logits.ts'
import { cardReports, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

const CONTEXT = 256
// Of log-probabilities down to −20 or so.
const ROUNDING = 4e-6
const folder = temporaryFolder()
const reportFile = join(folder, 'report')

beforeAll(() => {
  Object.assign(
    process.env,
    lookalike({ KVASIR_SIMT_DEVICES: '2', KVASIR_SIMT_COMPUTE: '80,90', KVASIR_SIMT_REPORT: reportFile }),
  )
})

const sampling = [
  { temperature: 0 },
  { temperature: 0.9, seed: 7 },
  { temperature: 1, topK: 20, topP: 0.9, seed: 8 },
  { temperature: 0.7, minP: 0.05, seed: 9, repetitionPenalty: 1.3 },
  { temperature: 0, frequencyPenalty: 0.7, presencePenalty: 0.4, logitBias: { 17: 3, 40: -5 } },
]

/** Everything that a caller can see of a model, asked for at once. */
async function everything(path: string, tokens: readonly number[], options: LoadOptions) {
  await using llm = await load(path, { context: CONTEXT, maxSequences: 6, ...options })
  const [scores, mean, last, ...answers] = await Promise.all([
    llm.score(tokens),
    llm.embed([tokens.slice(0, 40), tokens.slice(5, 12)], { normalize: false }),
    llm.embed([tokens.slice(0, 33)], { pooling: 'last', normalize: false }),
    ...sampling.map((params, i) =>
      llm.generate(tokens.slice(0, 3 + 9 * i), { ...params, maxTokens: 6, ignoreEos: true, logprobs: 3 }),
    ),
  ])
  return {
    device: llm.info.device,
    exact: { mean, last, answers: answers.map(({ tokens }) => tokens) },
    logprobs: [...scores, ...answers.flatMap(({ logprobs }) => logprobs!.flatMap(flat))],
    scores,
  }
}

const flat = ({ logprob, top }: TokenLogprob) => [logprob, ...top.map(({ logprob }) => logprob)]
type Everything = Awaited<ReturnType<typeof everything>>

function expectTheSame(card: Everything, processor: Everything) {
  expect(card.exact).toEqual(processor.exact)
  expect(maxDifference(card.logprobs, processor.logprobs)).toBeLessThan(ROUNDING)
}

describe.each(['llama', 'qwen2', 'qwen3', 'mistral'])('%s', (name) => {
  it.each(['f32', 'f16', 'kv8'] as const)('says on a card what it says on the processor: KV in %s', async (kv) => {
    const path = checkoutFixture(name, folder)
    const { tokens, next } = expectedOf(name)
    const card = await everything(path, tokens.slice(0, 60), { device: 'cuda', kv })
    const processor = await everything(path, tokens.slice(0, 60), { kv })
    expect(card.device).toBe('cuda:0 (Emulated card 0)')
    expectTheSame(card, processor)
    if (kv === 'f32') expect(maxDifference(card.scores, next.slice(0, 59))).toBeLessThan(1e-4)
  })
})

it.each(['llama', 'qwen2', 'qwen3'])('says the same with quantised weights: %s.gguf', async (name) => {
  const { path, tokens } = expectedOfGguf(name)
  const card = await everything(path, tokens.slice(0, 60), { device: 'cuda' })
  expectTheSame(card, await everything(path, tokens.slice(0, 60), {}))
})

it.each(['llama', 'qwen2', 'qwen3'])(
  'says the same by the kernels for compute capability 9.0: %s.gguf',
  async (name) => {
    const { path, tokens } = expectedOfGguf(name)
    const wgmmaKernels = () => cardReports(reportFile).at(-1)!.wgmmaKernels
    const card = await everything(path, tokens.slice(0, 60), { device: 'cuda:1' })
    expect(wgmmaKernels()).toBeGreaterThan(20)
    const processor = await everything(path, tokens.slice(0, 60), {})
    if (name === 'qwen2') {
      // Its head is in f16, whose products have bits of their own there: what lies before it has the processor's.
      expect({ mean: card.exact.mean, last: card.exact.last }).toEqual({
        mean: processor.exact.mean,
        last: processor.exact.last,
      })
      const difference = maxDifference(card.scores, processor.scores)
      expect(difference).toBeGreaterThan(0)
      return expect(difference).toBeLessThan(0.01)
    }
    expectTheSame(card, processor)
    if (name !== 'llama') return
    const before = wgmmaKernels()
    process.env['KVASIR_CUDA_WGMMA'] = '0'
    expectTheSame(await everything(path, tokens.slice(0, 60), { device: 'cuda:1' }), processor)
    delete process.env['KVASIR_CUDA_WGMMA']
    expect(wgmmaKernels()).toBe(before)
  },
)

it('replays recorded steps, whatever the batch, and gives everything back', async () => {
  const path = checkoutFixture('llama', folder)
  const prompts = Array.from({ length: 11 }, (_, i) => [5 + i, 6, 7, 8 + 3 * i].slice(0, 1 + (i % 4)))
  const answer = async (options: LoadOptions, together: boolean) => {
    await using llm = await load(path, { context: CONTEXT, prefixCache: false, ...options })
    const ask = (prompt: number[], i: number) =>
      llm.generate(prompt, { temperature: 0.8, seed: i, maxTokens: 12 + i, ignoreEos: true, logprobs: true })
    const answers = []
    if (together) answers.push(...(await Promise.all(prompts.map(ask))))
    else for (const [i, prompt] of prompts.entries()) answers.push(await ask(prompt, i))
    const { steps, replays } = llm.stats()
    if (options.device) expect(replays).toBeGreaterThan(steps / 3)
    else expect(replays).toBe(0)
    return answers.map(({ tokens, logprobs }) => ({ tokens, logprobs: logprobs!.map(({ logprob }) => logprob) }))
  }
  const tokensOf = (answers: Awaited<ReturnType<typeof answer>>) => answers.map(({ tokens }) => tokens)
  const before = cardReports(reportFile).length
  const alone = await answer({ device: 'cuda', maxSequences: 16 }, false)
  expect(await answer({ device: 'cuda', maxSequences: 16 }, true)).toEqual(alone)
  expect(await answer({ device: 'cuda', maxSequences: 3, maxTokens: 5 }, true)).toEqual(alone)
  expect(tokensOf(await answer({ maxSequences: 16 }, true))).toEqual(tokensOf(alone))
  const reports = cardReports(reportFile).slice(before)
  expect(reports.length).toBe(3)
  for (const { graphLaunches, graphKernels, captured, launches, allocations, objects } of reports) {
    expect(graphLaunches).toBeGreaterThan(10)
    expect(graphKernels).toBeGreaterThan(10 * graphLaunches)
    expect(launches).toBeGreaterThan(graphKernels)
    expect(captured).toBeGreaterThan(0)
    expect({ allocations, objects }).toEqual({ allocations: 0, objects: 0 })
  }
})

it('finds a prompt in the prefix cache, up to the middle of a page, and copies that page', async () => {
  const path = checkoutFixture('llama', folder)
  const { tokens } = expectedOf('llama')
  const prompt = tokens.slice(0, 50)
  const ask = { temperature: 0, maxTokens: 8, ignoreEos: true }
  const run = async (options: LoadOptions) => {
    await using llm = await load(path, { context: CONTEXT, maxSequences: 4, ...options })
    await llm.generate(prompt.slice(0, 45), ask)
    const answers = await Promise.all([
      llm.generate(prompt, ask),
      llm.generate(prompt, { ...ask, n: 3, temperature: 1, seed: 1 }),
    ])
    return answers.map(({ choices, usage }) => ({ choices, cached: usage.cachedTokens }))
  }
  const card = await run({ device: 'cuda' })
  expect(card[0]!.cached).toBeGreaterThan(32)
  expect(card).toEqual(await run({}))
})

it('swaps pages to memory beside the card and back, and gives that memory back', async () => {
  const path = checkoutFixture('llama', folder)
  const prompts = Array.from({ length: 6 }, (_, i) => Array.from({ length: 20 + 7 * i }, (_, p) => 5 + i + p))
  const run = async (options: LoadOptions) => {
    await using llm = await load(path, { context: CONTEXT, maxSequences: 6, pages: 9, device: 'cuda', ...options })
    const ask = (prompt: number[], i: number) =>
      llm.generate(prompt, { temperature: 0.8, seed: i, maxTokens: 70, ignoreEos: true, logprobs: true })
    await ask([1, 2, 3], 0) // the model of time has to know what a step takes
    const answers = await Promise.all(prompts.map(ask))
    const transcripts = answers.map(({ tokens, logprobs }) => ({
      tokens,
      logprobs: logprobs!.map((one) => one.logprob),
    }))
    return { transcripts, ...llm.stats() }
  }
  const before = cardReports(reportFile).length
  const swapped = await run({ swap: { bytes: 2 ** 20 } })
  expect(swapped.swap).toMatchObject({ failed: false })
  expect(swapped.swap!.outPages).toBeGreaterThan(0)
  expect(swapped.swap!.inPages).toBeGreaterThan(0)
  const recomputed = await run({ swap: false })
  expect(recomputed.preemptions).toBeGreaterThan(0)
  expect(swapped.transcripts).toEqual(recomputed.transcripts)
  expect((await run({})).swap!.pages).toBe(9) // on by default, as large as the KV cache where there is memory
  for (const { allocations, objects } of cardReports(reportFile).slice(before))
    expect({ allocations, objects }).toEqual({ allocations: 0, objects: 0 })
  const file = load(path, { device: 'cuda', swap: { bytes: 2 ** 20, folder } })
  await expect(file).rejects.toMatchObject({ code: 'KV_UNSUPPORTED' })
})

it('runs two cards at once, with different work', async () => {
  const paths = ['llama', 'qwen3'].map((name) => checkoutFixture(name, folder))
  const run = (path: string, options: LoadOptions) =>
    everything(path, expectedOf('llama').tokens.slice(0, 60), { ...options, kv: 'f16' })
  const cards = await Promise.all([run(paths[0]!, { device: 'cuda:0' }), run(paths[1]!, { device: 'cuda:1' })])
  expect(cards.map(({ device }) => device)).toEqual(['cuda:0 (Emulated card 0)', 'cuda:1 (Emulated card 1)'])
  for (const [i, path] of paths.entries()) expectTheSame(cards[i]!, await run(path, {}))
  expect(cards[0]!.exact).not.toEqual(cards[1]!.exact)
})

it('says what does not fit a card, and goes on', async () => {
  const path = checkoutFixture('llama', folder)
  await expect(load(path, { device: 'cuda', pages: 2 ** 20 })).rejects.toMatchObject({
    code: 'KV_UNSUPPORTED',
    message: expect.stringMatching(/CUDA_ERROR_OUT_OF_MEMORY.*choose a smaller context/),
  })
  await expect(load(path, { device: 'cuda:2' })).rejects.toMatchObject({
    code: 'KV_NOT_FOUND',
    message: 'device cuda:2: this machine has 2 cards',
  })
  await expect(load(path, { device: 'gpu' as never })).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
  const copied: number[] = []
  await using llm = await load(path, {
    device: 'auto',
    context: CONTEXT,
    onProgress: ({ file, done, total }) => copied.push(file === 'weights on cuda:0' ? done / total : Number.NaN),
  })
  expect(copied.at(-1)).toBe(1)
  expect(copied).toEqual([...copied].sort((a, b) => a - b))
  expect(llm.info.device).toBe('cuda:0 (Emulated card 0)')
})

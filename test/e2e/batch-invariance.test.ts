// Law 3 on the real model: a sequence's tokens and logprobs are bit-identical whatever shares its steps, however its
// prompt was cut, on one thread and on two, when it was pre-empted and computed again, and when a part of its prompt was
// found in the prefix cache.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Llm, type LoadOptions, load } from '../../lib/index.ts'
import { testModel } from '../support/model.ts'

const TEXT =
  'It was the year when the river froze before the harvest was in, and the ferrymen, who had nothing else to do, ' +
  'sat in the inn and told each other stories. One of them had been to the sea. He said that the water there was ' +
  'never still, that ships with three masts lay in the harbour like cattle in a stable, and that a man could hear ' +
  'twelve languages between the fish market and the church. Nobody believed him; but they asked him to go on.'

const MAX_TOKENS = 20
const full = process.env['KVASIR_TEST'] === 'full'
const COUNT = full ? 32 : 12

interface Transcript {
  tokens: readonly number[]
  logprobs: readonly number[]
}

const sampling = {
  greedy: () => ({ temperature: 0 }),
  sampled: (i: number) => ({ temperature: 0.8, topP: 0.95, seed: 1000 + i }),
}

let model: string
let prompts: number[][]

async function one(llm: Llm, mode: keyof typeof sampling, prompt: number[], i: number) {
  const { tokens, logprobs, usage } = await llm.generate(prompt, {
    ...sampling[mode](i),
    maxTokens: MAX_TOKENS,
    ignoreEos: true,
    logprobs: true,
  })
  const transcript: Transcript = { tokens, logprobs: logprobs!.map(({ logprob }) => logprob) }
  return { transcript, cached: usage.cachedTokens }
}

/** Answers of all prompts at once, and how often one of them had to give its memory to another. */
async function together(options: LoadOptions, mode: keyof typeof sampling, prompts: number[][]) {
  await using llm = await load(model, { context: 1024, maxSequences: 32, ...options })
  const results = await Promise.all(prompts.map((prompt, i) => one(llm, mode, prompt, i)))
  return { transcripts: results.map(({ transcript }) => transcript), preemptions: llm.stats().preemptions }
}

/** Answers of all prompts one after another, on one thread. */
async function oneByOne(mode: keyof typeof sampling, prompts: number[][]): Promise<Transcript[]> {
  await using llm = await load(model, { context: 1024, maxSequences: 32, threads: 1, prefixCache: false })
  const result: Transcript[] = []
  for (const [i, prompt] of prompts.entries()) result.push((await one(llm, mode, prompt, i)).transcript)
  return result
}

beforeAll(async () => {
  model = await testModel()
  const llm = await load(model)
  const ids = await llm.tokenize(TEXT.repeat(4))
  await llm.dispose()
  // Lengths around the page (32) and the split (256), then whatever comes.
  const lengths = [1, 31, 32, 33, 64, 255, 256, 257, 300, 7, 100, 129]
  prompts = Array.from({ length: COUNT }, (_, i) => ids.slice(i, i + (lengths[i] ?? 5 + ((i * 37) % 120))))
})

describe.each(['greedy', 'sampled'] as const)('%s', (mode) => {
  let alone: Transcript[]
  beforeAll(async () => {
    alone = await oneByOne(mode, prompts)
  })

  it.each<[string, LoadOptions]>([
    ['all together on two threads', { threads: 2 }],
    ['all together on one thread', { threads: 1 }],
    ['steps of 7 tokens', { threads: 2, maxTokens: 7 }],
    ['steps of 64 tokens', { threads: 2, maxTokens: 64 }],
    ['steps of 512 tokens', { threads: 2, maxTokens: 512 }],
  ])('is the same alone as: %s', async (_, options) => {
    expect((await together(options, mode, prompts)).transcripts).toEqual(alone)
  })

  it('is the same when the cache is so small that sequences are pre-empted', async () => {
    // A page each to begin with, a second one soon: more than there are.
    const short = prompts.map((_, i) => [...prompts[8]!.slice(0, 28), 500 + i])
    const { transcripts, preemptions } = await together(
      { threads: 2, pages: COUNT + 4, prefixCache: false },
      mode,
      short,
    )
    expect(preemptions).toBeGreaterThan(0)
    expect(transcripts).toEqual(await oneByOne(mode, short))
  })

  it('is the same when its prompt is found in the cache, up to the middle of a page', async () => {
    await using llm = await load(model, { context: 1024, maxSequences: 32, threads: 2 })
    // Somebody else began in the same way: with all of it, with its half, or with all but the last token.
    const begun = (prompt: number[], i: number) => prompt.slice(0, [prompt.length, prompt.length >> 1, -1][i % 3])
    await Promise.all(prompts.map((p, i) => llm.generate([...begun(p, i), 500 + i], { maxTokens: 3, temperature: 0 })))
    const found = await Promise.all(prompts.map((prompt, i) => one(llm, mode, prompt, i)))
    expect(found.map(({ transcript }) => transcript)).toEqual(alone)
    found.forEach(({ cached }, i) => {
      expect(cached).toBe(Math.min(begun(prompts[i]!, i).length, prompts[i]!.length - 1))
    })
    // And again: now the answers are in the cache too.
    const again = await Promise.all(prompts.map((prompt, i) => one(llm, mode, prompt, i)))
    expect(again.map(({ transcript }) => transcript)).toEqual(alone)
    expect(llm.stats().prefixCache!.hits).toBeGreaterThan(prompts.length)
  })
})

// The life of a loaded model in one process: everything it can do once, then disposed, disposed again, used afterwards,
// forgotten without dispose(), and loaded again many times in flat memory.
import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { type Llm, load } from '../../lib/index.ts'
import { collectGarbage, memory, sanitized } from '../support/memory.ts'
import { testModel } from '../support/model.ts'

let model: string
beforeAll(async () => {
  model = await testModel()
})

const small = { threads: 2, context: 512, maxSequences: 16, pages: 128 }
const code = (code: string) => expect.objectContaining({ code })

describe('a model', () => {
  it('does all it can, alone and in a batch of 8', async () => {
    const llm = await load(model, small)
    const greedy = { temperature: 0, maxTokens: 12 }
    const alone = await llm.generate('The capital of France is', greedy)
    expect(alone.text).toMatch(/Paris/)

    const controller = new AbortController()
    const aborted = llm.generate('Once upon a time', { maxTokens: 300, signal: controller.signal })
    const broken = llm.chat('Tell me a story.', { maxTokens: 300 })
    const batch = await Promise.all([
      llm.generate('The capital of France is', greedy),
      llm.generate('Sampled:', { temperature: 0.9, topK: 40, topP: 0.9, minP: 0.01, seed: 7, maxTokens: 12 }),
      llm.generate('Penalised:', {
        repetitionPenalty: 1.2,
        frequencyPenalty: 0.5,
        presencePenalty: 0.5,
        maxTokens: 12,
      }),
      llm.generate('Biased:', { logitBias: { 5: 10, 6: -100 }, maxTokens: 12 }),
      llm.generate('Three of:', { n: 3, temperature: 1, seed: 3, maxTokens: 12 }),
      llm.generate('Stopped. One, two,', { temperature: 0, stop: ['five', '\n'], maxTokens: 40 }),
      llm.generate('Explained:', { logprobs: 5, maxTokens: 12 }),
      llm.chat([{ role: 'user', content: 'Say yes.' }], { maxTokens: 12 }),
    ])
    expect(batch[0].tokens).toEqual(alone.tokens)
    expect(batch[4].choices).toHaveLength(3)
    expect(batch[6].logprobs![0]!.top).toHaveLength(5)

    controller.abort()
    await expect(aborted).rejects.toEqual(code('KV_ABORTED'))
    for await (const _ of broken) break
    expect((await broken).finishReason).toBe('abort')
    const [mean, last] = await Promise.all([llm.embed(['a', 'longer text']), llm.embed('b', { pooling: 'last' })])
    expect([mean[1]!.length, last[0]!.length]).toEqual([llm.info.hiddenSize, llm.info.hiddenSize])
    expect(await llm.score('Paris is the capital of France.')).toHaveLength(6)
    await idle(llm)
    await llm.dispose()
  })

  it('goes on when its KV cache shrinks under it, and when it grows again', async () => {
    const llm = await load(model, { ...small, pages: 64 })
    const ask = () =>
      Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          llm.generate(`${i} times two is`, { temperature: 0, maxTokens: 120, ignoreEos: true }),
        ),
      )
    const expected = await ask()
    const { kvBytes } = llm.info
    const answers = ask()
    while (llm.stats().running < 8) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(llm.resize({ kvBytes: kvBytes / 2 })).toBe(kvBytes / 2)
    expect(llm.resize({ kvBytes: kvBytes / 8 })).toBe(kvBytes / 8)
    expect(() => llm.resize({ kvBytes: kvBytes / 64 })).toThrow(code('KV_ARGUMENT')) // a request needs more pages
    expect((await answers).map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
    expect(llm.stats().pages).toBe(8)
    await expect(llm.generate('a', { maxTokens: 400 })).rejects.toEqual(code('KV_TOO_LONG'))
    expect(llm.resize({ kvBytes })).toBe(kvBytes)
    expect((await ask()).map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
    for (const kvBytes of [0, Number.NaN, 2 * llm.info.kvBytes])
      expect(() => llm.resize({ kvBytes })).toThrow(code('KV_ARGUMENT'))
    await idle(llm)
    await llm.dispose()
    expect(() => llm.resize({ kvBytes })).toThrow(code('KV_DISPOSED'))
  })

  it('is disposed twice and refuses everything afterwards', async () => {
    const llm = await load(model, small)
    const unfinished = llm.generate('Once', { maxTokens: 200, ignoreEos: true })
    const scored = llm.score('never scored')
    const lost = [
      expect(unfinished).rejects.toEqual(code('KV_DISPOSED')),
      expect(scored).rejects.toEqual(code('KV_DISPOSED')),
    ]
    await Promise.all([llm.dispose(), llm.dispose(), llm[Symbol.asyncDispose]()])
    await Promise.all(lost)
    await llm.dispose()
    for (const call of [
      () => llm.generate('a'),
      () => llm.chat('a'),
      () => llm.embed('a'),
      () => llm.score('a b'),
      () => llm.tokenize('a'),
      async () => llm.detokenize([1]),
    ])
      await expect(call()).rejects.toEqual(code('KV_DISPOSED'))
    expect(llm.stats()).toMatchObject({ requests: 0, running: 0, waiting: 0 })
  })

  it.skipIf(process.platform !== 'linux')('that nobody holds any more ends its threads', async () => {
    const threads = () => readdirSync('/proc/self/task').length
    await useAndForget()
    await collectGarbage()
    const before = threads()
    for (let i = 0; i < 3; i++) await useAndForget()
    expect(threads()).toBeGreaterThan(before)
    await collectGarbage()
    await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before)) // they end one after another, off this thread
  })

  it('can be loaded and disposed 20 times in flat memory', async () => {
    const course = []
    for (let i = 0; i < 25; i++) {
      const llm = await load(model, small)
      await llm.generate('The capital of France is', { temperature: 0, maxTokens: 4 })
      await llm.dispose()
      if (i >= 4) course.push(await memory())
    }
    const [first, last] = [course[0]!, course.at(-1)!]
    console.log(
      `20 times: heap ${first.heapMb.toFixed(1)} → ${last.heapMb.toFixed(1)} MB, ` +
        `resident ${first.rssMb.toFixed(0)} → ${last.rssMb.toFixed(0)} MB`,
    )
    expect(last.heapMb - first.heapMb).toBeLessThan(5)
    expect(last.rssMb - first.rssMb).toBeLessThan(sanitized ? 300 : 30)
  })
})

async function useAndForget(): Promise<void> {
  const llm = await load(model, small)
  await llm.generate('Once', { maxTokens: 3 })
}

async function idle(llm: Llm): Promise<void> {
  while (llm.stats().running > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const { pages, ...rest } = llm.stats()
  expect(rest).toMatchObject({
    requests: 0,
    running: 0,
    waiting: 0,
    freePages: pages,
    freeSlots: llm.info.maxSequences,
  })
}

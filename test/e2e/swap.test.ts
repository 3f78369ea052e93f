// Swap on the real model: sequences give way to one another all the time, go on with copies of their pages, from memory
// and from a file, and every token and logprob is the one that it is alone; when a copy fails, too.
import { statfsSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Llm, type LoadOptions, load, type SwapStats } from '../../lib/index.ts'
import { type ExecutorOptions, type NativeExecutor, native } from '../../lib/native.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const MAX_TOKENS = 60
const COUNT = 8
const folder = temporaryFolder()
let model: string

interface Transcript {
  tokens: readonly number[]
  logprobs: readonly number[]
}

async function one(llm: Llm, prompt: number[], i: number, maxTokens = MAX_TOKENS): Promise<Transcript> {
  const sampling = i % 2 ? { temperature: 0 } : { temperature: 0.8, topP: 0.95, seed: 1000 + i }
  const answer = await llm.generate(prompt, { ...sampling, maxTokens, ignoreEos: true, logprobs: true })
  return { tokens: answer.tokens, logprobs: answer.logprobs!.map(({ logprob }) => logprob) }
}

let prompts: number[][]
let alone: Transcript[]
let swapped: SwapStats

beforeAll(async () => {
  model = await testModel()
  await using llm = await load(model, { context: 1024, threads: 1, prefixCache: false })
  const ids = await llm.tokenize('The ferrymen sat in the inn and told each other stories of the sea. '.repeat(20))
  // Around a page and its half; the first token tells them apart, so that nothing is found of another.
  prompts = Array.from({ length: COUNT }, (_, i) => [500 + i, ...ids.slice(0, 30 + 9 * i)])
  alone = []
  for (const [i, prompt] of prompts.entries()) alone.push(await one(llm, prompt, i))
})

async function together(options: LoadOptions): Promise<Transcript[]> {
  await using llm = await load(model, { context: 256, threads: 2, pages: 12, maxSequences: 8, ...options })
  // The model of time has to know what a step takes before anybody gives way.
  for (let i = 0; i < 3; i++) await one(llm, [900 + i, ...prompts[0]!], 1, 8)
  const found = await Promise.all(prompts.map((prompt, i) => one(llm, prompt, i)))
  const stats = llm.stats()
  expect(stats).toMatchObject({ running: 0, waiting: 0, freePages: 12, freeSlots: 8 })
  expect(stats.preemptions).toBeGreaterThan(0)
  swapped = stats.swap!
  return found
}

describe('answers are those that they are alone', () => {
  it('with copies in memory', async () => {
    expect(await together({ swap: { bytes: 64 * 2 ** 20 } })).toEqual(alone)
    expect(swapped).toMatchObject({ failed: false })
    expect(swapped.outPages).toBeGreaterThan(0)
    expect(swapped.inPages).toBeGreaterThan(0)
  })

  it('with copies in a file', async () => {
    expect(await together({ swap: { bytes: 64 * 2 ** 20, folder } })).toEqual(alone)
    expect(swapped).toMatchObject({ failed: false })
    expect(swapped.inPages).toBeGreaterThan(0)
  })

  it('with room for two pages', async () => {
    expect(await together({ swap: { bytes: 2 * 391_680 } })).toEqual(alone)
    expect(swapped).toMatchObject({ pages: 2, failed: false })
    expect(swapped.inPages).toBeGreaterThan(0)
  })

  it('with pages of another format', async () => {
    const recomputed = await together({ swap: false, kv: 'f16' })
    expect(await together({ swap: { bytes: 64 * 2 ** 20 }, kv: 'f16' })).toEqual(recomputed)
    expect(swapped.inPages).toBeGreaterThan(0)
  })
})

describe('a device', () => {
  /** A model and its device, which load() does not show. */
  async function open(options: LoadOptions): Promise<{ llm: Llm; device: NativeExecutor }> {
    const addon = native()
    const { createExecutor } = addon
    let device: NativeExecutor | undefined
    Object.assign(addon, {
      createExecutor: (options: ExecutorOptions) => {
        device = createExecutor.call(addon, options)
        return device
      },
    })
    const llm = await load(model, { context: 256, threads: 2, pages: 12, maxSequences: 8, ...options })
    Object.assign(addon, { createExecutor })
    return { llm, device: device! }
  }

  it.each([{ bytes: 4 * 391_680 }, { bytes: 4 * 391_680, folder }])('copies out and in: %j', async (swap) => {
    const { llm, device } = await open({ swap })
    await one(llm, prompts[0]!, 1, 4)
    const ms = await device.swap(Int32Array.of(0, 12, 1, 13, 12, 5, 13, 6))
    expect(ms).toBeGreaterThan(0)
    for (const bad of [[0], [0, 1], [12, 13], [0, 16], [-1, 12], [12, -1], [16, 0]])
      expect(() => device.swap(Int32Array.from(bad))).toThrow(/swap:/)
    await llm.dispose()
  })

  it('says that it has no room', async () => {
    const { llm, device } = await open({})
    expect(() => device.swap(Int32Array.of(0, 12))).toThrow(/made without room for it/)
    await llm.dispose()
  })

  it('copies no more after a copy that failed, and every answer is right all the same', async () => {
    const { llm, device } = await open({ swap: { bytes: 64 * 2 ** 20, folder } })
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await expect(device.swap(Int32Array.of(20, 0))).rejects.toMatchObject({ code: 'KV_DISK' }) // nothing was written there
    await expect(device.swap(Int32Array.of(0, 12))).rejects.toMatchObject({ code: 'KV_DISK' })
    for (let i = 0; i < 3; i++) await one(llm, [900 + i, ...prompts[0]!], 1, 8)
    expect(await Promise.all(prompts.map((prompt, i) => one(llm, prompt, i)))).toEqual(alone)
    expect(llm.stats()).toMatchObject({ freePages: 12, swap: { failed: true, heldPages: 0, inPages: 0 } })
    expect((await warned).message).toMatch(/swap is off from now on: cannot read from the swap file: it is short/)
    await llm.dispose()
  })
})

describe('options', () => {
  it.each<[string, unknown, Partial<LoadOptions>, RegExp]>([
    ['a number', 5, {}, /swap: expected false or { bytes, folder\? }, found 5/],
    ['nothing', {}, {}, /swap\.bytes: expected an integer from \d+ up to \d+, found null/],
    ['less than a page', { bytes: 1000 }, {}, /swap\.bytes: expected an integer from 391680/],
    ['more than the machine', { bytes: 2 ** 50 }, {}, /swap\.bytes: expected .* found 1125899906842624/],
    ['a word too much', { bytes: 2 ** 20, path: '/' }, {}, /path: no such option; there are bytes, folder/],
    ['no prefix cache', { bytes: 2 ** 20 }, { prefixCache: false }, /leave prefixCache on/],
    ['no folder', { bytes: 2 ** 20, folder: '' }, {}, /swap\.folder: expected the path of a folder/],
  ])('refuses %s', async (_, swap, options, message) => {
    await expect(load(model, { ...options, swap } as LoadOptions)).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    await expect(load(model, { ...options, swap } as LoadOptions)).rejects.toThrow(message)
  })

  it('refuses a folder that is not there, or whose disk has no room', async () => {
    const nowhere = load(model, { swap: { bytes: 2 ** 20, folder: `${folder}/nowhere` } })
    await expect(nowhere).rejects.toMatchObject({ code: 'KV_DISK' })
    const { bavail, bsize } = statfsSync(folder)
    const full = load(model, { swap: { bytes: bavail * bsize * 4, folder } })
    await expect(full).rejects.toThrow(/swap\.bytes: \d+ asked for, the disk of .* has \d+ left/)
  })

  it('is off by default on the processor', async () => {
    await using llm = await load(model)
    expect(llm.info.swapBytes).toBe(0)
    expect(llm.stats().swap).toBeUndefined()
  })
})

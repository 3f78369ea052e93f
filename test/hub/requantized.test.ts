// Weights in fewer bits, written to the cache once.

import { spawn } from 'node:child_process'
import { readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { planWeights } from '../../lib/engine/plan-weights.ts'
import { smallerWeights } from '../../lib/engine/smaller-weights.ts'
import { quantizedFolder, requantized } from '../../lib/hub/requantized.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { temporaryFolder } from '../support/temporary.ts'

const wide = { hidden_size: 256, intermediate_size: 512, num_attention_heads: 4, num_key_value_heads: 2 }
const source = () => {
  const folder = temporaryFolder()
  writeTinyFolder(folder, { config: wide })
  return folder
}
const kept = () => readdirSync(quantizedFolder()).sort()

beforeEach(() => {
  vi.stubEnv('KVASIR_CACHE', temporaryFolder())
  return () => vi.unstubAllEnvs()
})

describe('the cache', () => {
  it('is written once, whole, with progress, and read from then on', async () => {
    const original = await openCheckpoint(source())
    const shares: number[] = []
    const onProgress = ({ done, total }: { done: number; total: number }) => shares.push(done / total)
    const made = await requantized(original, 'q4_0', { onProgress })
    expect(made.tensors.get('model.layers.0.mlp.up_proj.weight')!.dtype).toBe('q4_0')
    expect(shares.at(-1)).toBe(1)
    expect(kept()).toEqual([expect.stringMatching(/-q4_0-[0-9a-f]{12}\.gguf$/)])
    shares.length = 0
    expect((await requantized(original, 'q4_0', { onProgress })).path).toBe(made.path)
    expect(shares).toEqual([])
    await requantized(original, 'q8_0')
    expect(kept()).toHaveLength(2)
  })

  it('is made again when the source has changed, in place of what was', async () => {
    const folder = source()
    await requantized(await openCheckpoint(folder), 'q8_0')
    const [before] = kept()
    writeFileSync(
      join(quantizedFolder(), `${before!.slice(0, -17)}ffffffffffff.gguf.7.part`),
      'left by one that was killed',
    )
    utimesSync(join(folder, 'config.json'), 1, 1)
    await requantized(await openCheckpoint(folder), 'q8_0')
    expect(kept()).toHaveLength(1)
    expect(kept()).not.toEqual([before])
  })

  it('is made again when it was damaged', async () => {
    const original = await openCheckpoint(source())
    const { path } = await requantized(original, 'q8_0')
    const { size } = statSync(path)
    truncateSync(path, size / 2)
    await requantized(original, 'q8_0')
    expect(statSync(path).size).toBe(size)
  })

  it('leaves nothing behind when it is stopped', async () => {
    const original = await openCheckpoint(source())
    const controller = new AbortController()
    const stopped = requantized(original, 'q8_0', {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'KV_ABORTED' })
    expect(kept()).toEqual([])
  })

  it('is written by one of several processes, and all get the same', async () => {
    const folder = source()
    const dist = join(__dirname, '..', '..', 'dist')
    const script = `
      const { requantized } = require(${JSON.stringify(join(dist, 'hub', 'requantized.js'))})
      const { openCheckpoint } = require(${JSON.stringify(join(dist, 'weights', 'open.js'))})
      let calls = 0
      openCheckpoint(${JSON.stringify(folder)})
        .then((original) => requantized(original, 'q4_0', { onProgress: () => calls++ }))
        .then(({ path, tensors }) => console.log(JSON.stringify({ path, tensors: tensors.size, wrote: calls > 0 })))`
    const found = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
        let output = ''
        child.stdout.on('data', (data) => {
          output += data
        })
        await new Promise((resolve) => child.on('close', resolve))
        return JSON.parse(output) as { path: string; tensors: number; wrote: boolean }
      }),
    )
    expect(found.filter(({ wrote }) => wrote)).toHaveLength(1)
    expect(new Set(found.map(({ path, tensors }) => `${path} ${tensors}`)).size).toBe(1)
    expect(kept()).toHaveLength(1)
  })
})

describe('the choice', async () => {
  const original = await openCheckpoint(source())
  const { bytes } = planWeights(original, 'as-is', 0)
  const chosen = (available: number) => planWeights(original, 'auto', available).format

  it('is what the files have while it fits, then 8 bits, then 4', () => {
    const q8 = planWeights(original, 'q8_0', 0).bytes
    const q4 = planWeights(original, 'q4_k', 0).bytes
    expect(q8).toBeLessThan(bytes / 3)
    expect([bytes, q8, q4].map((size) => chosen(size / 0.84))).toEqual([undefined, 'q8_0', 'q4_k'])
    expect(chosen(q8)).toBe('q4_k')
    expect(planWeights(original, 'auto', q4 / 2)).toMatchObject({
      format: 'q4_k',
      why: expect.stringMatching(/read again/),
    })
    expect(planWeights(original, 'auto', bytes).why).toMatch(/do not fit in/)
  })

  it('never makes weights larger', async () => {
    const small = await requantized(original, 'q8_0')
    for (const option of ['f16', 'bf16', 'q8_0'] as const)
      expect(planWeights(small, option, 0)).toMatchObject({
        format: undefined,
        why: expect.stringMatching(/no smaller/),
      })
    expect(planWeights(small, 'q4_0', 0).format).toBe('q4_0')
  })

  it('goes on with the original where the cache cannot be written, and says so in a sentence', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    vi.stubEnv('KVASIR_CACHE', file)
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { checkpoint, plan } = await smallerWeights(original, 'q8_0', 0, {})
    expect(checkpoint).toBe(original)
    expect(plan).toMatchObject({ format: undefined, bytes, why: expect.stringMatching(/^not in q8_0: cannot write/) })
    expect(warned).toHaveBeenCalledWith(expect.stringMatching(/stay as they are/), {
      type: 'KvasirWarning',
      code: 'KV_DISK',
    })
    warned.mockRestore()
  })
})

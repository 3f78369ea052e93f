// Damaged headers of GGUF and safetensors files: an error of ours or a checkpoint whose every tensor lies in its file,
// never another exception, never a long wait or a large allocation. KVASIR_FUZZ=N for more; KVASIR_SEED to repeat.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { KvasirError } from '../../lib/errors.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { quantizeCheckpoint } from '../../lib/weights/quantize.ts'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { damage } from '../support/damage.ts'
import { random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'

const count = Number(process.env['KVASIR_FUZZ'] ?? 3000)
const seed = Number(process.env['KVASIR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const folder = join(temporaryFolder(), 'tiny')
const gguf = join(folder, 'sound.gguf')
beforeAll(async () => {
  console.log(`KVASIR_SEED=${seed} KVASIR_FUZZ=${count}`)
  writeTinyFolder(folder)
  await quantizeCheckpoint(await openCheckpoint(folder), gguf, 'q8_0')
})

async function fuzz(path: string, header: number): Promise<void> {
  const sound = readFileSync(path)
  const memory = process.memoryUsage().arrayBuffers
  const outcomes = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const bytes = damage(sound, header, random(seed + i))
    writeFileSync(path, bytes)
    const started = performance.now()
    let outcome = 'opened'
    try {
      const { tensors } = await openCheckpoint(path)
      for (const { name, offset, bytes, file } of tensors.values()) {
        if (!(offset >= 0 && offset + bytes <= statSync(file).size))
          expect.fail(`mutation ${seed + i}: ${name} lies outside`)
      }
    } catch (error) {
      if (!(error instanceof KvasirError)) throw new Error(`mutation ${seed + i}: ${(error as Error).stack}`)
      outcome = error.code
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (performance.now() - started > 5000) expect.fail(`mutation ${seed + i} took ${performance.now() - started} ms`)
  }
  writeFileSync(path, sound)
  console.log(path.split('/').at(-1), Object.fromEntries(outcomes))
  // Both ends of the parser were reached, and nothing that a header claims was allocated.
  expect(outcomes.get('KV_FORMAT')).toBeGreaterThan(count / 10)
  expect(outcomes.get('opened')).toBeGreaterThan(count / 100)
  expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(200e6)
}

test('GGUF', async () => {
  const { offset } = [...(await openCheckpoint(gguf)).tensors.values()][0]!
  await fuzz(gguf, offset)
})

test('safetensors', async () => {
  const path = join(folder, 'model.safetensors')
  await fuzz(path, 8 + Number(readFileSync(path).readBigUInt64LE()))
})

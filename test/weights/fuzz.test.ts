// Damaged headers of GGUF and safetensors files: an error of ours or a checkpoint whose every tensor lies in its file,
// never another exception, never a long wait or a large allocation. KVASIR_FUZZ=N for more; KVASIR_SEED to repeat.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { KvasirError } from '../../lib/errors.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { quantizeCheckpoint } from '../../lib/weights/quantize.ts'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { type Random, random } from '../support/random.ts'
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

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff]

/** A few changes of the first `header` bytes: bits, bytes, extreme words, cuts, moved pieces. */
function damage(sound: Buffer, header: number, rng: Random): Buffer {
  let bytes: Buffer = Buffer.from(sound)
  for (let changes = 1 + rng.below(4); changes > 0; changes--) {
    const at = rng.below(Math.min(header, bytes.length - 8))
    const kind = rng.below(6)
    if (kind === 0) bytes[at] = bytes[at]! ^ (1 << rng.below(8))
    else if (kind === 1) bytes[at] = rng.below(256)
    else if (kind === 2) bytes.writeUInt32LE(extremes[rng.below(extremes.length)]!, at)
    else if (kind === 3)
      bytes.writeBigUInt64LE(BigInt(extremes[rng.below(extremes.length)]!) << BigInt(rng.below(33)), at)
    else if (kind === 4) bytes.copyWithin(at, rng.below(bytes.length), rng.below(bytes.length))
    else if (rng.below(10) === 0) bytes = bytes.subarray(0, Math.max(16, rng.below(bytes.length)))
  }
  return bytes
}

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

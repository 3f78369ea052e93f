// Damaged models through load(): refused with an error of ours, or loaded and then used, to the same rule. Never another
// exception, a crash or a wait. KVASIR_FUZZ=N for more; KVASIR_SEED to repeat.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Llm, load } from '../../lib/index.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { quantizeCheckpoint } from '../../lib/weights/quantize.ts'
import { safetensorsFile, writeTinyFolder } from '../support/checkpoint.ts'
import { damage, damageJson } from '../support/damage.ts'
import { type Random, random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'

const count = Number(process.env['KVASIR_FUZZ'] ?? 400)
const seed = Number(process.env['KVASIR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const limits = { threads: 1, maxSequences: 2, maxTokens: 64, pages: 16 }
const minutes = 60_000

const home = temporaryFolder()
const folder = join(home, 'sound')
const gguf = join(home, 'sound.gguf')
beforeAll(async () => {
  console.log(`hostile-model: KVASIR_SEED=${seed} KVASIR_FUZZ=${count}`)
  writeTinyFolder(folder)
  await quantizeCheckpoint(await openCheckpoint(folder), gguf, 'q8_0')
})

async function use(llm: Llm): Promise<void> {
  const settled = await Promise.allSettled([
    llm.generate('hello 12', { maxTokens: 3, temperature: 1, seed: 1, logprobs: 2 }),
    llm.chat('abc', { maxTokens: 2, temperature: 0, stop: ['x'] }),
    llm.embed(['one', [5, 6, 7]], { pooling: 'last' }),
    llm.score('some text'),
  ])
  for (const call of settled) if (call.status === 'rejected') throw call.reason
}

/** What became of the model: 'used', or the code of our error. */
async function outcomeOf(path: string): Promise<string> {
  let llm: Llm | undefined
  try {
    llm = await load(path, limits)
    await use(llm)
    return 'used'
  } catch (error) {
    const { code, name, stack } = error as Error & { code?: string }
    if (name !== 'KvasirError') throw new Error(`not an error of ours: ${stack}`, { cause: error })
    if (count === 1) console.log(stack)
    return llm ? `loaded, ${code}` : code!
  } finally {
    await llm?.dispose()
  }
}

// Each model has a path of its own: the one before may still be mapped.
async function fuzz(make: (path: string, i: number) => void): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const path = join(home, `${i}`)
    make(path, i)
    const started = performance.now()
    const outcome = await outcomeOf(path).catch((cause) => {
      throw new Error(`KVASIR_SEED=${seed + i} KVASIR_FUZZ=1: ${cause.message}`, { cause })
    })
    const ms = performance.now() - started
    // Every file is understood, or refused, before native code has to.
    if (outcome.endsWith('KV_NATIVE')) expect.fail(`KVASIR_SEED=${seed + i} KVASIR_FUZZ=1: ${outcome}`)
    if (ms > 10_000) expect.fail(`KVASIR_SEED=${seed + i} KVASIR_FUZZ=1: ${outcome} took ${ms} ms`)
    rmSync(path, { recursive: true })
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  console.log(Object.fromEntries(outcomes))
  return outcomes
}

test('the sound models work', async () => {
  expect(await outcomeOf(gguf)).toBe('used')
  expect(await outcomeOf(folder)).toBe('used')
})

test('a tokenizer of another model: the text that has no embedding is refused, the rest is answered', async () => {
  const path = join(home, 'foreign')
  cpSync(folder, path, { recursive: true })
  const tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  tokenizer.model.vocab.t = 516
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer))
  const llm = await load(path, limits)
  const beyond = { code: 'KV_FORMAT', message: expect.stringContaining('token 516, but the model has 300') }
  const [asked, scored, counted, other] = await Promise.allSettled([
    llm.generate('a t', { maxTokens: 2 }),
    llm.score('a t'),
    llm.tokenize('a t'),
    llm.generate('a b', { maxTokens: 2, temperature: 0 }),
  ])
  for (const call of [asked, scored, counted])
    expect(call).toEqual({ status: 'rejected', reason: expect.objectContaining(beyond) })
  expect(other.status).toBe('fulfilled')
  await llm.dispose()
})

test(
  `GGUF, ${count} times`,
  async () => {
    const sound = readFileSync(gguf)
    const header = Math.min(...[...(await openCheckpoint(gguf)).tensors.values()].map(({ offset }) => offset))
    const outcomes = await fuzz((path, i) => {
      const rng = random(seed + i)
      writeFileSync(path, damage(sound, rng.below(4) ? header : sound.length, rng))
    })
    if (count < 100) return
    expect(outcomes.get('used')).toBeGreaterThan(count / 20)
    expect(outcomes.get('KV_FORMAT')).toBeGreaterThan(count / 20)
  },
  30 * minutes,
)

test(
  `folders, ${count} times`,
  async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'] as const
    const sound = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]))
    const weights = sound['model.safetensors']!
    const header = 8 + Number(weights.readBigUInt64LE())
    const broken = (name: (typeof names)[number], rng: Random): Buffer => {
      const bytes = sound[name]!
      const isWeights = name === 'model.safetensors'
      if (rng.below(2) === 0) return damage(bytes, isWeights ? header : bytes.length, rng)
      const json = damageJson(JSON.parse(String(isWeights ? weights.subarray(8, header) : bytes)), rng)
      return isWeights ? safetensorsFile(Object(json), weights.subarray(header)) : Buffer.from(JSON.stringify(json))
    }
    const outcomes = await fuzz((path, i) => {
      const rng = random(seed + i)
      cpSync(folder, path, { recursive: true })
      const name = names[rng.below(names.length)]!
      writeFileSync(join(path, name), broken(name, rng))
    })
    if (count < 100) return
    expect(outcomes.get('used')).toBeGreaterThan(count / 20)
    expect(outcomes.get('KV_FORMAT')).toBeGreaterThan(count / 20)
  },
  30 * minutes,
)

// Whatever shares the device, however it is cut, pre-empted, swapped, shared, aborted or failing, with prefixes found in the cache
// or not: every answer is the one it would be alone, and at the end nothing is held. A failing seed is printed; KVASIR_SEED=<n> plays it again alone.
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Answer, ChoiceResult } from '../../lib/engine/answer.ts'
import { call } from '../../lib/engine/call.ts'
import { EmbedRequest } from '../../lib/engine/embed-request.ts'
import { ScoreRequest } from '../../lib/engine/score-request.ts'
import type { GenerateOptions } from '../../lib/engine/types.ts'
import { PRIORITIES, type Service } from '../../lib/scheduler/service.ts'
import { setup, textOf } from '../support/engine.ts'
import { continuation, logprob, VOCAB, vector } from '../support/fake-executor.ts'
import { random } from '../support/random.ts'

function dice(seed: number) {
  const { next, below } = random(seed)
  const int = (from: number, to: number) => from + below(to - from + 1)
  const chance = (p: number) => next() < p
  return { next, int, chance }
}

type Random = ReturnType<typeof dice>
type World = ReturnType<typeof setup> & { fails: boolean }

const LOST = 'device lost'

const randomIds = (r: Random, count: number) => Array.from({ length: count }, () => r.int(0, VOCAB - 1))

/** Often the beginning of one of three texts that all prompts of a scenario know. */
function promptOf(r: Random, longest: number): number[] {
  const length = r.int(1, longest)
  const known = r.chance(0.6) ? r.int(0, length) : 0
  const text = random(r.int(0, 2))
  return [...Array.from({ length: known }, () => text.below(VOCAB)), ...randomIds(r, length - known)]
}

/** What answer `index` must be, from the fake model alone. */
function alone(prompt: number[], options: GenerateOptions, index: number): Omit<ChoiceResult, 'index'> {
  const sampler = {
    temperature: options.temperature!,
    seed: [Number(options.seed) + index, 0] as [number, number],
    frequencyPenalty: options.frequencyPenalty!,
  }
  const stops = options.stop as (string | number)[]
  const tokens: number[] = []
  let text = ''
  for (const id of continuation(prompt, sampler, options.maxTokens!)) {
    if (stops.includes(id)) return { text, tokens, finishReason: 'stop' }
    tokens.push(id)
    text += textOf(id)
    const found = stops.map((stop) => text.indexOf(String(stop))).filter((at) => at >= 0)
    if (found.length > 0) return { text: text.slice(0, Math.min(...found)), tokens, finishReason: 'stop' }
  }
  return { text, tokens, finishReason: 'length' }
}

const serviceIn = (r: Random): Service => ({
  priority: PRIORITIES[r.int(0, 2)]!,
  tenant: r.chance(0.2) ? 'other' : '',
})

async function generateOne(r: Random, { generate, fails }: World, longest: number, mostAnswers: number) {
  const prompt = promptOf(r, longest)
  const options: GenerateOptions = {
    ...serviceIn(r),
    temperature: r.chance(0.5) ? 0 : 1,
    seed: r.int(0, 1000),
    frequencyPenalty: r.chance(0.2) ? 1 : 0,
    maxTokens: r.int(1, longest),
    stop: r.chance(0.3) ? [r.int(0, VOCAB - 1), 'abcab', 'ccc'] : [],
    n: r.chance(0.3) ? r.int(1, mostAnswers) : 1,
  }
  const controller = new AbortController()
  const generation = generate(prompt, options, controller.signal)
  const fate = r.next()
  const wait = r.int(0, 20)
  if (fate < 0.15) void turns(wait).then(() => controller.abort())
  else if (fate < 0.3) void turns(wait).then(() => generation.abort())

  let answer: Answer
  try {
    answer = await generation
  } catch (error) {
    if (fails && (error as Error).message === LOST) return
    expect(error).toMatchObject({ code: 'KV_ABORTED' })
    expect(fate).toBeLessThan(0.15)
    return
  }
  const choices = answer.choices ?? [{ index: 0, ...answer }]
  expect(choices).toHaveLength(options.n!)
  for (const { index, text, tokens, finishReason } of choices) {
    const whole = alone(prompt, options, index)
    if (finishReason !== 'abort') expect({ text, tokens, finishReason }).toEqual(whole)
    else expect(whole.tokens.slice(0, tokens.length)).toEqual(tokens)
    if (finishReason === 'abort') expect(fate).toBeLessThan(0.3)
  }
}

async function scoreOne(r: Random, { engine }: World, longest: number) {
  const ids = [0, ...promptOf(r, longest)]
  const logprobs = await call<Float32Array>(
    engine,
    (outcome) => new ScoreRequest(outcome, { ids: Int32Array.from(ids), program: 0, service: serviceIn(r) }),
  )
  expect([...logprobs]).toEqual(ids.slice(1).map((id, i) => logprob(ids.slice(0, i + 1), id)))
}

async function embedOne(r: Random, { engine }: World, longest: number) {
  const ids = promptOf(r, longest)
  const pooling = r.chance(0.5) ? 'mean' : 'last'
  const spec = {
    ids: Int32Array.from(ids),
    program: pooling === 'mean' ? 1 : 2,
    pooling,
    normalize: false,
    service: serviceIn(r),
  } as const
  const found = await call<Float32Array>(engine, (outcome) => new EmbedRequest(outcome, spec))
  const rows = ids.map(vector)
  const sum = rows.reduce((a, b) => a.map((x, j) => x + b[j]!))
  const expected = pooling === 'mean' ? sum.map((x) => x / ids.length) : rows.at(-1)!
  expected.forEach((x, j) => {
    expect(found[j]).toBeCloseTo(x, 4)
  })
}

/** A call may be lost with the device, where that fails. */
const survive = (fails: boolean, call: Promise<void>) =>
  call.catch((error: Error) => {
    if (!fails || error.message !== LOST) throw error
  })

async function turns(count: number) {
  for (let i = 0; i < count; i++) await turn()
}

async function scenario(seed: number) {
  const r = dice(seed)
  const maxSequences = r.int(1, 8)
  const maxRows = r.int(1, 12)
  const pages = r.int(4, 24)
  const fails = r.chance(0.2)
  const prefixCache = r.chance(0.8)
  const places = r.chance(0.5) ? r.int(1, 30) : 0
  const world = {
    ...setup({ pages, maxTokens: r.int(1, 80), maxSequences, maxRows, context: 400, prefixCache, places }),
    fails,
  }
  const { engine, executor } = world
  const longest = Math.min(pages * 16, 100) // prompt and answer together fit the pages

  // Every step begins with all pages and slots accounted for.
  const submit = executor.submit.bind(executor)
  executor.submit = (step) => {
    engine.check()
    if (fails && r.chance(0.02)) executor.failure = new Error(LOST)
    if (fails && r.chance(0.01)) executor.swapFailure = new Error('disk full')
    return submit(step)
  }

  const work: Promise<void>[] = []
  for (let i = 0; i < 24; i++) {
    const kind = r.next()
    if (kind < 0.7) work.push(generateOne(r, world, longest, Math.min(maxSequences, maxRows, 4)))
    else if (kind < 0.85) work.push(survive(fails, scoreOne(r, world, longest)))
    else work.push(survive(fails, embedOne(r, world, longest)))
    if (r.chance(0.5)) await turns(r.int(0, 6))
  }
  await Promise.all(work)

  await engine.settled()
  engine.check()
  const { prefixCache: prefixes, preemptions, swap, ...load } = engine.load()
  expect(load).toMatchObject({ requests: 0, running: 0, waiting: 0, pages, freePages: pages, freeSlots: maxSequences })
  const copies = executor.steps.reduce((sum, step) => sum + step.copies, 0)
  return { copies, preemptions, hits: prefixes?.hits ?? 0, out: swap?.outPages ?? 0, in: swap?.inPages ?? 0 }
}

const replay = process.env['KVASIR_SEED']
const seeds = replay
  ? [Number(replay)]
  : Array.from({ length: process.env['KVASIR_TEST'] === 'full' ? 2000 : 150 }, (_, i) => i)

it(`gives every request its own answer, over ${seeds.length} random loads`, async () => {
  const total = { copies: 0, preemptions: 0, hits: 0, out: 0, in: 0 }
  for (const seed of seeds) {
    try {
      const found = await scenario(seed)
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += found[key]
    } catch (error) {
      throw new Error(`seed ${seed} (KVASIR_SEED=${seed} plays it again): ${error}`, { cause: error })
    }
  }
  // The loads were worth it: pages were shared, copied, swapped and found again, and sequences were pre-empted.
  if (!replay) for (const count of Object.values(total)) expect(count).toBeGreaterThan(seeds.length / 4)
})

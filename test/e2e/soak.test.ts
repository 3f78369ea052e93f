// Law: what a call takes it gives back, however it ends. Rounds of 200 generations at once (chat, several answers, stop
// strings), half of them ended at random moments, with embeddings and scores between them, until the time is over
// (KVASIR_SOAK_SECONDS, `npm run test:soak`: 600). After each round no page and no slot is held; from the first rounds to
// the last, memory is flat; and a greedy answer in the middle of the crowd is the one given alone.
import { beforeAll, expect, it } from 'vitest'
import { type Answer, type Generation, type Llm, load } from '../../lib/index.ts'
import { type Memory, memory } from '../support/memory.ts'
import { testModel } from '../support/model.ts'
import { type Random, random } from '../support/random.ts'

const full = process.env['KVASIR_TEST'] === 'full'
const seconds = Number(process.env['KVASIR_SOAK_SECONDS'] ?? (full ? 20 : 0))
const seed = Number(process.env['KVASIR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const threads = Number(process.env['KVASIR_SOAK_THREADS'] ?? 1)
const GENERATIONS = 200
const OTHERS = 20 // embeddings, and as many scores
const WARM_UP = 3 // rounds: pages of the cache are touched for the first time, code is compiled

const question = ['The capital of France is', { temperature: 0, maxTokens: 8 }] as const
const words = 'the a of to and in water fire stone river mountain king queen said went saw one two three four'.split(
  ' ',
)

interface Round extends Memory {
  at: number
  ended: Record<string, number>
  tokens: number
}

let llm: Llm
beforeAll(async () => {
  if (seconds > 0) llm = await load(await testModel(), { threads, context: 512, maxSequences: 48, pages: 192 })
})

const sentence = (r: Random) => Array.from({ length: 3 + r.below(20) }, () => words[r.below(words.length)]).join(' ')
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts a generation of some kind and says how it ended. */
async function generation(r: Random, roundMs: number): Promise<[string, Answer | undefined]> {
  const controller = new AbortController()
  const options = {
    signal: controller.signal,
    temperature: r.below(2),
    seed: r.below(1000),
    maxTokens: 1 + r.below(24),
    n: r.below(8) === 0 ? 2 : 1,
    stop: r.below(4) === 0 ? ['.', 'the king'] : [],
  }
  const doomed = r.below(2) === 0
  const [way, moment] = [r.below(3), r.next() * roundMs]
  const running = r.below(4) === 0 ? llm.chat(sentence(r), options) : llm.generate(sentence(r), options)
  if (doomed && way === 0) void wait(moment).then(() => controller.abort())
  if (doomed && way === 1) void wait(moment).then(() => running.abort())
  if (doomed && way === 2) return ['left', await leave(running, 1 + r.below(10))]
  try {
    const answer = await running
    const { finishReason } = answer
    if (finishReason === 'abort') expect(doomed).toBe(true)
    return [finishReason === 'abort' ? 'abort()' : finishReason, answer]
  } catch (error) {
    expect(error).toMatchObject({ code: 'KV_ABORTED' })
    expect(doomed && way === 0).toBe(true)
    return ['signal', undefined]
  }
}

async function leave(running: Generation, pieces: number): Promise<Answer> {
  for await (const _ of running) if (--pieces === 0) break
  return running
}

async function other(r: Random, kind: 'embed' | 'score', roundMs: number): Promise<[string, undefined]> {
  const controller = new AbortController()
  const { signal } = controller
  if (r.below(2) === 0) void wait(r.next() * roundMs).then(() => controller.abort())
  try {
    if (kind === 'score') await llm.score(`a ${sentence(r)}`, { signal })
    else await llm.embed([sentence(r), sentence(r)], { signal, pooling: r.below(2) ? 'mean' : 'last' })
    return [kind, undefined]
  } catch (error) {
    expect(error).toMatchObject({ code: 'KV_ABORTED' })
    return ['signal', undefined]
  }
}

async function round(r: Random, roundMs: number, expected: Answer): Promise<Pick<Round, 'ended' | 'tokens'>> {
  const calls = Array.from({ length: GENERATIONS }, () => generation(r, roundMs))
  const same = llm.generate(...question)
  for (let i = 0; i < OTHERS; i++) calls.push(other(r, 'embed', roundMs), other(r, 'score', roundMs))
  const ended: Record<string, number> = {}
  let tokens = 0
  for (const [end, answer] of await Promise.all(calls)) {
    ended[end] = (ended[end] ?? 0) + 1
    tokens += answer?.usage.completionTokens ?? 0
  }
  expect((await same).tokens).toEqual(expected.tokens)
  return { ended, tokens }
}

/** Fails unless everything is given back, at the latest when the steps in flight have ended. */
async function nothingIsHeld(): Promise<void> {
  for (let tries = 0; tries < 500 && llm.stats().freeSlots < llm.info.maxSequences; tries++) await wait(10)
  const { pages, ...rest } = llm.stats()
  expect(rest).toMatchObject({
    requests: 0,
    running: 0,
    waiting: 0,
    freePages: pages,
    freeSlots: llm.info.maxSequences,
  })
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

it.skipIf(seconds <= 0)(
  `gives back what it takes, for ${seconds} s`,
  async () => {
    console.log(`KVASIR_SEED=${seed} KVASIR_SOAK_SECONDS=${seconds}`)
    const r = random(seed)
    const expected = await llm.generate(...question)
    const began = performance.now()
    const course: Round[] = []
    let roundMs = 2000
    while (performance.now() - began < seconds * 1000 || course.length < WARM_UP + 2) {
      const started = performance.now()
      const result = await round(r, roundMs, expected)
      roundMs = performance.now() - started
      await nothingIsHeld()
      course.push({ at: (performance.now() - began) / 1000, ...result, ...(await memory()) })
    }
    await llm.dispose()

    const rows = course.filter((_, i) => i % Math.ceil(course.length / 20) === 0 || i === course.length - 1)
    console.table(
      rows.map(({ at, ended, tokens, heapMb, externalMb, rssMb }) => ({
        round: course.findIndex((one) => one.at === at) + 1,
        s: Math.round(at),
        tokens,
        ended: Object.entries(ended)
          .map(([end, count]) => `${count} ${end}`)
          .sort()
          .join(', '),
        'heap MB': heapMb.toFixed(1),
        'external MB': externalMb.toFixed(1),
        'resident MB': rssMb.toFixed(1),
      })),
    )
    const calls = course.reduce((sum, { ended }) => sum + Object.values(ended).reduce((a, b) => a + b), 0)
    console.log(
      `${course.length} rounds, ${calls} calls, ${course.reduce((sum, { tokens }) => sum + tokens, 0)} tokens`,
    )

    const warm = course.slice(WARM_UP)
    const third = Math.ceil(warm.length / 3)
    const growth = (of: (memory: Memory) => number) =>
      median(warm.slice(-third).map(of)) - median(warm.slice(0, third).map(of))
    expect(growth(({ heapMb }) => heapMb)).toBeLessThan(3)
    expect(growth(({ externalMb }) => externalMb)).toBeLessThan(3)
    expect(growth(({ rssMb }) => rssMb)).toBeLessThan(16)
  },
  (seconds + 300) * 1000,
)

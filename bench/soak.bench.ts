// npm run bench:soak [-- --minutes N --clients N --model M --seed N]: many callers at once, half of whom change their
// mind, over a cache so small that sequences are pre-empted. Nothing may be wrong, lost or leaked:
//
//   - every finished answer equals the one that the same request got alone (design law 3), every aborted one is a
//     beginning of it, and nobody waits for ever;
//   - when all is over a request that needs every page of the cache runs, so every page came back;
//   - memory is as it was after the first fifth of the time.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { KvasirError, type Llm, load } from 'kvasir'
import { check, digits, main, printResult, printTable, progress } from './harness.ts'

const SEQUENCES = 64
const PAGES = 128 // a full house would like twice as many
const CONTEXT = PAGES * 32 // one sequence can have them all
const REQUESTS = 48
const STUCK_MS = 120_000
const GROWTH_MB = 24

interface Request {
  prompt: number[]
  maxTokens: number
  seed: number
  temperature: number
  expected: number[]
}

type Ending = 'finished' | 'signal' | 'abort' | 'break'

/** mulberry32 by Tommy Ettinger (public domain). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const options = ({ maxTokens, seed, temperature }: Request) => ({ maxTokens, seed, temperature, ignoreEos: true })

async function requestsOf(llm: Llm, next: () => number): Promise<Request[]> {
  const ids = await llm.tokenize('The ferrymen sat in the inn and told each other stories of the sea. '.repeat(40))
  const requests: Request[] = []
  for (let i = 0; i < REQUESTS; i++) {
    const from = Math.floor(next() * 200)
    const prompt = ids.slice(from, from + 1 + Math.floor(next() * 120))
    const request = { prompt, maxTokens: 1 + Math.floor(next() * 64), seed: i, temperature: i % 2, expected: [] }
    const alone = await llm.generate(prompt, options(request))
    requests.push({ ...request, expected: alone.tokens })
  }
  return requests
}

/** One call that ends in the way asked for. Returns the tokens that it gave. */
async function callOnce(llm: Llm, request: Request, ending: Ending, delayMs: number): Promise<number[]> {
  if (ending === 'finished') return (await llm.generate(request.prompt, options(request))).tokens
  if (ending === 'break') {
    const tokens: number[] = []
    const until = performance.now() + delayMs
    for await (const piece of llm.generate(request.prompt, options(request))) {
      tokens.push(...piece.tokens)
      if (performance.now() > until) break
    }
    return tokens
  }
  if (ending === 'abort') {
    const generation = llm.generate(request.prompt, options(request))
    const [answer] = await Promise.all([generation, sleep(delayMs).then(() => generation.abort())])
    return answer.tokens
  }
  try {
    const signal = AbortSignal.timeout(Math.round(delayMs))
    return (await llm.generate(request.prompt, { ...options(request), signal })).tokens
  } catch (error) {
    if (error instanceof KvasirError && error.code === 'KV_ABORTED') return []
    throw error
  }
}

/** null when there is no answer in time. */
async function answered<T>(answer: PromiseLike<T>): Promise<T | null> {
  const timer = new AbortController()
  try {
    return await Promise.race([answer, sleep(STUCK_MS, null, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}

const memory = () => {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss: rss / 1e6, heap: heapUsed / 1e6 }
}

main(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      clients: { type: 'string', default: '200' },
      model: { type: 'string', default: 'smollm2:135m' },
      seed: { type: 'string', default: '1' },
    },
  })
  const next = random(Number(values.seed))
  const llm = await load(values.model, { context: CONTEXT, maxSequences: SEQUENCES, pages: PAGES })
  const requests = await requestsOf(llm, next)

  const counts: Record<Ending, number> = { finished: 0, signal: 0, abort: 0, break: 0 }
  let tokens = 0
  const begin = performance.now()
  const duration = Number(values.minutes) * 60_000
  const end = begin + duration
  const client = async () => {
    while (performance.now() < end) {
      const request = requests[Math.floor(next() * REQUESTS)]!
      const ending: Ending =
        next() < 0.5 ? 'finished' : (['signal', 'abort', 'break'] as const)[Math.floor(next() * 3)]!
      const got = await answered(callOnce(llm, request, ending, next() * 3000))
      check(got !== null, `a request that was to end by ${ending} is unanswered after ${STUCK_MS / 1e3} s`)
      const whole = ending === 'finished' ? request.expected : request.expected.slice(0, got!.length)
      check(String(got) === String(whole), `${ending}: ${got} instead of ${whole}`)
      counts[ending]++
      tokens += got!.length
    }
  }
  const watch = async () => {
    await sleep(duration / 5)
    const before = memory()
    for (let at = duration / 5; at < duration; at += 5000) {
      await sleep(Math.min(5000, duration - at))
      const { rss, heap } = memory()
      progress(`${JSON.stringify(counts)} ${tokens} tokens, ${digits(rss)} MB resident, ${digits(heap)} MB heap`)
    }
    return before
  }
  const [before] = await Promise.all([watch(), ...Array.from({ length: Number(values.clients) }, client)])
  const seconds = (performance.now() - begin) / 1e3
  const after = memory()

  const ids = requests.flatMap(({ prompt }) => prompt)
  const prompt = Array.from({ length: CONTEXT - 8 }, (_, i) => ids[i % ids.length]!)
  const last = await answered(llm.generate(prompt, { maxTokens: 8, ignoreEos: true, temperature: 0 }))
  check(last?.tokens.length === 8, `a request for all ${PAGES} pages gave ${last?.tokens.length ?? 'no'} tokens`)
  const { isa } = llm.info
  await llm.dispose()

  const calls = Object.values(counts).reduce((sum, n) => sum + n, 0)
  const growth = { rss: after.rss - before.rss, heap: after.heap - before.heap }
  printTable(
    ['', 'calls'],
    [...Object.entries(counts), ['all', calls]].map(([name, n]) => [String(name), String(n)]),
  )
  printTable(
    ['', ''],
    [
      ['tokens a second', digits(tokens / seconds)],
      ['resident memory, growth in MB', digits(growth.rss)],
      ['heap, growth in MB', digits(growth.heap)],
    ],
  )
  const figures = { calls, tokens_per_second: tokens / seconds, rss_growth_mb: growth.rss, heap_growth_mb: growth.heap }
  printResult('soak', { ...figures, ...counts }, isa)
  if (growth.rss > GROWTH_MB) throw new Error(`memory grew by ${digits(growth.rss)} MB, ${GROWTH_MB} are allowed`)
})

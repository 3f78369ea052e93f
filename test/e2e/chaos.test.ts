// npm run test:chaos: `kvasir serve` among clients that vanish, stall, say garbage, send bodies that are wrong, too large
// or too slow, with 2,000 idle connections, until the time is over (KVASIR_CHAOS_SECONDS, 600). Good clients get the answer
// that they would get alone, or are told why not; the server stays up in flat memory; and on SIGTERM in the middle of it
// all that had begun is answered and the process ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { load } from '../../lib/index.ts'
import { testModel } from '../support/model.ts'
import { random } from '../support/random.ts'
import {
  garbage,
  good,
  idling,
  oversized,
  type Question,
  slow,
  stalling,
  vanishing,
  type World,
  wrong,
} from './chaos/clients.ts'

const full = process.env['KVASIR_TEST'] === 'full'
const seconds = Number(process.env['KVASIR_CHAOS_SECONDS'] ?? (full ? 20 : 0))
const seed = Number(process.env['KVASIR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const IDLE = 2000
const CROWD = [
  ...Array.from({ length: 12 }, () => good),
  ...Array.from({ length: 4 }, () => vanishing),
  ...Array.from({ length: 4 }, () => stalling),
  ...Array.from({ length: 4 }, () => slow),
  ...[garbage, garbage, wrong, wrong, wrong, oversized, oversized],
]
const GROWTH_MB = 24

let server: ChildProcess | undefined
afterAll(() => server?.kill('SIGKILL'))

async function start(): Promise<number> {
  const cli = join(__dirname, '../../dist/cli/main.js')
  const flags = ['--port', '0', '--name', 'model', '--context', '512', '--sequences', '16', '--max-queued', '64']
  server = spawn(
    process.execPath,
    [cli, 'serve', await testModel(), ...flags, '--max-body', '100000', '--log-level', 'error'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [line] = await once(server.stdout!, 'data')
  return Number(/:(\d+)\s*$/.exec(String(line))![1])
}

async function answersAlone(questions: readonly Question[]): Promise<Map<Question, string>> {
  const llm = await load(await testModel(), { context: 512 })
  const answers = new Map<Question, string>()
  for (const question of questions) {
    const { content, seed, max_tokens } = question
    answers.set(question, (await llm.chat(content, { seed, maxTokens: max_tokens, temperature: 1, topP: 1 })).text)
  }
  await llm.dispose()
  return answers
}

async function residentMb(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(/^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(text)![1]) / 1e6
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

it.skipIf(seconds === 0)(
  `${seconds} seconds of chaos (KVASIR_SEED=${seed} plays the same cards)`,
  async () => {
    const rng = random(seed)
    const questions = Array.from({ length: 24 }, (_, i) => ({
      content: `Tell me of the ${['sea', 'moon', 'king', 'fox'][i % 4]}, number ${i}.`,
      seed: i,
      max_tokens: 4 + rng.below(40),
    }))
    const answers = await answersAlone(questions)
    const port = await start()
    const end = performance.now() + seconds * 1000
    const world: World = { port, rng, questions, answers, left: () => Math.max(0, end - performance.now()) }
    const ended = new Map<string, number>()
    const memory: number[] = []

    const idle = Array.from({ length: IDLE }, (_, i) => idling(world, i % 2 === 0))
    const crowd = CROWD.map(async (client) => {
      while (world.left() > 0) {
        const how = await client(world)
        ended.set(how, (ended.get(how) ?? 0) + 1)
      }
    })
    const watch = async () => {
      while (world.left() > 0) {
        await sleep(Math.min(world.left(), Math.max(1000, seconds * 10)))
        memory.push(await residentMb(port))
      }
    }
    await Promise.all([...crowd, watch()])

    // The end: everybody asks once more, and in the middle of it comes the signal.
    const last = Array.from({ length: 40 }, () => good(world).catch((error) => error))
    await sleep(300)
    server!.kill('SIGTERM')
    const exit = once(server!, 'exit')
    const outcomes = await Promise.all(last)
    const refused = (error: unknown) =>
      /ECONNREFUSED|ECONNRESET|other side closed|socket hang up/.test(
        String((error as Error).cause && ((error as Error).cause as Error).cause),
      )
    for (const outcome of outcomes) if (outcome instanceof Error && !refused(outcome)) throw outcome
    expect(outcomes.filter((outcome) => outcome === 'answered').length).toBeGreaterThan(0)
    expect(await exit).toEqual([0, null])
    const connections = (await Promise.all(idle)).reduce((sum, opened) => sum + opened, 0)
    expect(connections).toBeGreaterThanOrEqual(IDLE)

    console.table(Object.fromEntries([...ended].sort()))
    const third = Math.ceil(memory.length / 3)
    const growth = median(memory.slice(-third)) - median(memory.slice(third, 2 * third))
    console.log(`${connections} idle connections were opened`)
    console.log(
      `resident MB: ${memory.map((mb) => mb.toFixed(0)).join(' ')}; at the end: ${outcomes.map(String).sort().join(', ')}`,
    )
    expect(growth).toBeLessThan(GROWTH_MB)
    expect(ended.get('answered')).toBeGreaterThan(0)
  },
  (seconds + 120) * 1000,
)

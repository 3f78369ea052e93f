// The whole engine in bad company, and in none.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from 'kvasir'
import { check, type Figures, interleave, spread } from '../harness.ts'

const PROMPTS = 8
const TOKENS = 64

/** Tokens a second of some streams, alone and beside a busy process per core; the share that is left. */
export async function crowded(model: string, threads: number, rounds: number): Promise<Figures> {
  const llm = await load(model, { threads, maxSequences: PROMPTS, context: 256, prefixCache: false })
  const run = async (): Promise<Figures> => {
    const begin = performance.now()
    const options = { temperature: 0, maxTokens: TOKENS, ignoreEos: true } as const
    const prompts = Array.from({ length: PROMPTS }, (_, i) => `Count from ${i} upwards:`)
    const answers = await Promise.all(prompts.map((prompt) => llm.generate(prompt, options)))
    check(
      answers.every(({ usage }) => usage.completionTokens === TOKENS),
      'every stream has all its tokens',
    )
    return { rate: (PROMPTS * TOKENS * 1e3) / (performance.now() - begin) }
  }
  const contenders = [
    { name: 'quiet', run },
    { name: 'crowded', run: () => besideBusy(threads, run) },
  ]
  const samples = await interleave(contenders, rounds)
  await llm.dispose()
  const median = (name: string) => spread(samples.get(name)!.get('rate')!).median
  const [quiet, beside] = [median('quiet'), median('crowded')]
  return { quiet_tokens_per_s: quiet, crowded_tokens_per_s: beside, crowded_share: beside / quiet }
}

async function besideBusy<T>(count: number, work: () => Promise<T>): Promise<T> {
  const busy: ChildProcess[] = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  )
  try {
    await sleep(500)
    return await work()
  } finally {
    for (const child of busy) child.kill('SIGKILL')
  }
}

/** Share of one core that a loaded model uses when nobody asks it anything. */
export async function idle(model: string, threads: number, seconds: number): Promise<Figures> {
  const llm = await load(model, { threads })
  await llm.generate('Hello', { maxTokens: 8 })
  await sleep(1000)
  const before = process.cpuUsage()
  await sleep(seconds * 1e3)
  const { user, system } = process.cpuUsage(before)
  await llm.dispose()
  return { idle_cpu: (user + system) / 1e6 / seconds }
}

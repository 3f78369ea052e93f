// npm run bench:idle [-- MODEL] [-- --seconds N]: what a loaded model costs while nobody asks it anything (design law 5):
// the share of one core that the whole process uses over a minute, after it has answered once, and its context switches.
// The same process with nothing loaded stands beside it.
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import { check, digits, type Figures, main, printResult, printTable } from './harness.ts'

interface Idle {
  /** Of one core. */
  cpuPercent: number
  switchesPerSecond: number
}

async function idle(seconds: number): Promise<Idle> {
  const before = process.resourceUsage()
  const begin = performance.now()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const ms = performance.now() - begin
  const after = process.resourceUsage()
  const cpu = after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime
  const switches =
    after.voluntaryContextSwitches +
    after.involuntaryContextSwitches -
    before.voluntaryContextSwitches -
    before.involuntaryContextSwitches
  return { cpuPercent: cpu / 10 / ms, switchesPerSecond: (switches / ms) * 1000 }
}

main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '60' } },
  })
  const seconds = Number(values.seconds)
  check(seconds > 0, `--seconds ${values.seconds} is no positive number`)
  const bare = await idle(Math.min(10, seconds))
  const llm = await load(positionals[0] ?? 'smollm2:135m')
  const answer = await llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 16 })
  check(/Oslo/.test(answer.text), `the capital of Norway is not in ${JSON.stringify(answer.text)}`)
  const loaded = await idle(seconds)
  const figures: Figures = {
    bare_cpu_percent: bare.cpuPercent,
    loaded_cpu_percent: loaded.cpuPercent,
    bare_switches_per_second: bare.switchesPerSecond,
    loaded_switches_per_second: loaded.switchesPerSecond,
  }
  const row = (name: string, { cpuPercent, switchesPerSecond }: Idle) => [
    name,
    `${cpuPercent.toFixed(3)} %`,
    digits(switchesPerSecond),
  ]
  printTable(['idle', 'of one core', 'switches/s'], [row('nothing loaded', bare), row('model loaded', loaded)])
  const { isa } = llm.info
  await llm.dispose()
  printResult('idle', figures, isa)
})

// npm run bench:cpu [-- --model PATH --threads N --only kernels|steps|long|crowded|idle --rounds N --seconds N --save]:
// the CPU backend against the limits of the machine.
//
//   kernels  multiply-adds a cycle and bytes a second of the matrix kernels, and the share of their bound
//   steps    steps of a real model, and where their time goes. The limit of a step is the longer of two times: reading
//            the weights at the bandwidth measured here, and multiplying at what the tiles' instructions allow.
//   long     the same behind a context of thousands of tokens, of one sequence and of 32 that share its beginning
//   crowded  throughput beside one busy process per core
//   idle     CPU use of a loaded model that nobody asks anything
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crowded, idle } from './cpu/crowd.ts'
import { KernelBench, type Machine } from './cpu/kernels.ts'
import { limitMs, macsOf } from './cpu/limit.ts'
import { type Chunk, Device, isa, type StepTimes } from './cpu/steps.ts'
import { digits, type Figures, main, printResult, printTable, quantile, ROOT } from './harness.ts'

const SENTENCE = 'The quick brown fox jumps over the lazy dog. '
const SEQUENCES = 200
const CONTEXT = 704
const PROMPT = 96 // of the sequences that are decoded together
const LONG = 8192
const PREFIX = 4096 // that all but the first sequence share
const SHARING = 32

type Report = (name: string, tokens: number, rows: number, times: StepTimes) => void

/** Prints a step beside what the machine allows, and keeps its figures. */
function reporter(device: Device, machine: Machine, figures: Figures): Report {
  return (name, tokens, rows, { ops, times }) => {
    const ms = quantile(times, 0.5)
    const limit = limitMs(device, tokens, rows, machine)
    const all = ops.reduce((sum, { busy, waited }) => sum + busy + waited, 0)
    console.log(
      `${name}: ${digits(ms)} ms, ${digits((tokens / ms) * 1e3)} tokens/s, ${digits((100 * limit) / ms)} % of the limit`,
    )
    printTable(
      ['op', 'runs', 'ms', 'waiting', 'share', 'GMAC/s'],
      ops.map((op) => {
        const time = op.busy + op.waited
        const rate = op.macs > 0 ? digits(macsOf(op, tokens, rows) / time / 1e6) : ''
        return [
          op.name,
          `${op.count}`,
          digits(op.busy),
          digits(op.waited),
          `${((100 * time) / all).toFixed(1)} %`,
          rate,
        ]
      }),
    )
    const key = name.replaceAll(' ', '_').replaceAll(',', '')
    Object.assign(figures, {
      [`${key}_ms`]: ms,
      [`${key}_tokens_per_s`]: (tokens / ms) * 1e3,
      [`${key}_of_limit`]: limit / ms,
    })
  }
}

async function steps(model: string, threads: number, machine: Machine): Promise<Figures> {
  const device = await Device.open(model, threads, SEQUENCES, CONTEXT)
  const ids = await device.tokenize(SENTENCE.repeat(100))
  const prompt = (slot: number, length: number): Chunk => ({ slot, start: 0, ids: ids.slice(slot, slot + length) })
  const decode = (count: number, at: number) =>
    Array.from({ length: count }, (_, slot): Chunk => ({ slot, start: at, ids: [ids[at + slot]!] }))
  const figures: Figures = {}
  const report = reporter(device, machine, figures)
  report('prefill 512', 512, 1, await device.measure(12, () => device.step([prompt(0, 512)])))
  report('decode 1', 1, 1, await device.measure(120, (i) => device.step(decode(1, 512 + (i % 128)))))
  for (let slot = 0; slot < SEQUENCES; slot++) await device.step([prompt(slot, PROMPT)])
  for (const [count, runs] of [
    [4, 60],
    [8, 60],
    [32, 50],
    [SEQUENCES, 12],
  ] as const)
    report(
      `decode ${count}`,
      count,
      count,
      await device.measure(runs, (i) => device.step(decode(count, PROMPT + (i % 32)))),
    )
  await device.dispose()
  return figures
}

async function long(model: string, threads: number, machine: Machine): Promise<Figures> {
  const device = await Device.open(model, threads, 1 + SHARING, LONG, 2)
  const ids = await device.tokenize(SENTENCE.repeat(LONG / 9))
  const chunk = (start: number, count: number): Chunk => ({ slot: 0, start, ids: ids.slice(start, start + count) })
  const figures: Figures = {}
  const report = reporter(device, machine, figures)
  for (let start = 0; start < LONG - 512; start += 512) await device.step([chunk(start, 512)])
  const last = LONG - 512
  report('prefill 512 behind 7680', 512, 1, await device.measure(3, () => device.step([chunk(last, 512)])))
  report('decode 1 behind 7680', 1, 1, await device.measure(60, (i) => device.step([chunk(last + (i % 64), 1)])))
  const sharing = (i: number) =>
    Array.from({ length: SHARING }, (_, n): Chunk => {
      const start = PREFIX + (i % 64)
      return { slot: n + 1, start, ids: [ids[start + n]!], shared: PREFIX / 32 }
    })
  for (let i = 0; i < 64; i++) await device.step(sharing(i))
  report('decode 32, 4096 shared', SHARING, SHARING, await device.measure(30, (i) => device.step(sharing(i))))
  await device.dispose()
  return figures
}

main(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'smollm2:135m' },
      threads: { type: 'string', default: String(availableParallelism()) },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '60' },
      save: { type: 'boolean', default: false },
    },
  })
  const threads = Number(values.threads)
  const wanted = (part: string) => !values.only || values.only.includes(part)
  const bench = new KernelBench()
  const machine = bench.machine(threads)
  const { ghz, gb_per_s, gmac_per_s } = machine
  console.log(
    `${ghz} GHz; ${threads} threads read ${gb_per_s} GB/s and could multiply ${gmac_per_s} GMAC/s in 4 bits\n`,
  )

  const figures: Figures = { ghz, gb_per_s, gmac_per_s }
  if (wanted('steps')) Object.assign(figures, await steps(values.model, threads, machine))
  if (wanted('long')) Object.assign(figures, await long(values.model, threads, machine))
  if (wanted('kernels')) Object.assign(figures, bench.table())
  if (wanted('crowded')) Object.assign(figures, await crowded(values.model, threads, Number(values.rounds)))
  if (wanted('idle')) Object.assign(figures, await idle(values.model, threads, Number(values.seconds)))
  for (const name of ['crowded_share', 'idle_cpu'])
    if (name in figures) console.log(`${name}: ${digits(100 * figures[name]!)} %`)
  const line = printResult('cpu', figures, isa())
  if (values.save) writeFileSync(join(ROOT, 'bench', 'results', 'cpu.json'), `${line}\n`)
})

// npm run bench:peers [-- --model PATH --threads N --rounds N --only NAME --shape NAME]: Kvasir and what a user would
// pick instead, on the same file, the same prompts and the same minute.
//
//   single  a prompt of 512 tokens, 128 generated: prefill and decode, tokens a second
//   batch   32 prompts of 64 tokens at once, 64 generated for each: all generated tokens over wall time
//   long    a prompt of 8,000 tokens, 64 generated: prefill and decode
//   wide    200 × (64 + 64), without node-llama-cpp, which takes minutes for it
//
// Below them stands what the machine allows (bench/cpu/limit.ts), measured in the same run: no engine can pass it.
//
// Greedy, two threads, prompts of ids cut from one repeated sentence, a different cut each round. What counts is the
// ratio of our median to the better peer's; absolute figures of a shared machine are worth little.
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import { KernelBench, type Machine } from './cpu/kernels.ts'
import { limitMs } from './cpu/limit.ts'
import { Device } from './cpu/steps.ts'
import { digits, type Figures, main, printResult, printTable, type Samples, show, spread } from './harness.ts'
import { type Competitor, competitors, type Shape } from './peers/competitors.ts'
import { contest } from './peers/contest.ts'
import type { TaskResult } from './peers/protocol.ts'

const TEXT = 'The quick brown fox jumps over the lazy dog. '

type Measure = (result: TaskResult) => Figures

const oneStream = (shape: Shape, suffix: string): Measure => {
  return ({ seconds, firstTokenSeconds: first }) => ({
    [`prefill${suffix}`]: shape.prompt / first,
    [`decode${suffix}`]: (shape.generate - 1) / (seconds - first),
  })
}
const manyStreams = ({ prompts, generate }: Shape, name: string): Measure => {
  return ({ seconds }) => ({ [name]: (prompts * generate) / seconds })
}

const SINGLE = { prompts: 1, prompt: 512, generate: 128 }
const BATCH = { prompts: 32, prompt: 64, generate: 64 }
const LONG = { prompts: 1, prompt: 8000, generate: 64 }
const WIDE = { prompts: 200, prompt: 64, generate: 64 }
const SHAPES: Record<string, { shape: Shape; measure: Measure; without?: string }> = {
  single: { shape: SINGLE, measure: oneStream(SINGLE, '') },
  batch: { shape: BATCH, measure: manyStreams(BATCH, 'batch') },
  long: { shape: LONG, measure: oneStream(LONG, '_8k') },
  wide: { shape: WIDE, measure: manyStreams(WIDE, 'batch_200'), without: 'node-llama-cpp' },
}
const HEADS: Record<string, string> = {
  prefill: 'prefill 512',
  decode: 'decode 128',
  batch: '32×(64+64)',
  prefill_8k: 'prefill 8,000',
  decode_8k: 'decode after it',
  batch_200: '200×(64+64)',
}

/** What the machine allows each figure, from the time that it allows the steps. */
async function limits(model: string, threads: number, machine: Machine): Promise<Figures> {
  const device = await Device.open(model, threads, 1, 64)
  const ms = (tokens: number, rows: number) => limitMs(device, tokens, rows, machine)
  const chunk = 512
  const many = ({ prompts, prompt, generate }: Shape) => {
    const prefill = ((prompts * prompt) / chunk) * ms(chunk, (prompts * chunk) / (prompts * prompt))
    return (prompts * generate * 1e3) / (prefill + (generate - 1) * ms(prompts, prompts))
  }
  const prefill = (chunk * 1e3) / ms(chunk, 1)
  const decode = 1e3 / ms(1, 1)
  await device.dispose()
  return { prefill, decode, batch: many(BATCH), prefill_8k: prefill, decode_8k: decode, batch_200: many(WIDE) }
}

/** A table of the figures of all shapes, our ratio to the better peer below it; the same as figures. */
function report(list: readonly Competitor[], results: readonly Samples[], allowed: Figures): Figures {
  const figures: Figures = {}
  const key = (name: string, what: string) => `${name.replaceAll('-', '_')}_${what}`
  const cells = new Map<string, string>()
  const columns = results.flatMap((samples) => [...samples.values().next().value!.keys()])
  for (const samples of results)
    for (const [name, values] of samples)
      for (const [what, list] of values) {
        figures[key(name, what)] = spread(list).median
        cells.set(key(name, what), show(spread(list)))
      }
  const rows = list.map(({ name }) => [name, ...columns.map((what) => cells.get(key(name, what)) ?? '')])
  const ratio = (what: string): string => {
    const peers = list.filter(({ name }) => name !== 'kvasir').map(({ name }) => figures[key(name, what)] ?? 0)
    const ours = figures[key('kvasir', what)]
    if (ours === undefined || !(Math.max(0, ...peers) > 0)) return ''
    figures[`ratio_${what}`] = ours / Math.max(...peers)
    return `${figures[`ratio_${what}`]!.toFixed(2)}×`
  }
  rows.push(['kvasir ÷ better peer', ...columns.map(ratio)])
  for (const what of columns) figures[key('limit', what)] = allowed[what]!
  rows.push(['what the machine allows', ...columns.map((what) => digits(allowed[what]!))])
  printTable(['tokens a second', ...columns.map((what) => HEADS[what]!)], rows)
  return figures
}

main(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'smollm2:135m' },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true },
      shape: { type: 'string', multiple: true, default: Object.keys(SHAPES) },
    },
  })
  const llm = await load(values.model)
  const { path, isa } = llm.info
  const ids = await llm.tokenize(TEXT.repeat(1000), { special: false })
  await llm.dispose()
  const list = await competitors(path, Number(values.threads), values.only)
  const results: Samples[] = []
  for (const name of values.shape) {
    const { shape, measure, without } = SHAPES[name]!
    const those = list.filter(({ name }) => name !== without)
    results.push(await contest(those, { shape, ids, rounds: Number(values.rounds), sensible: true }, measure))
  }
  const threads = Number(values.threads)
  const allowed = await limits(path, threads, new KernelBench().machine(threads))
  printResult('peers', report(list, results, allowed), isa)
})

// npm run bench:peers [-- --model PATH --threads N --rounds N --only NAME]: Kvasir and what a user would pick instead,
// on the same file, the same prompts and the same minute.
//
//   single  a prompt of 512 tokens, 128 generated: prefill and decode, tokens a second
//   batch   32 prompts of 64 tokens at once, 64 generated for each: all generated tokens over wall time
//
// Greedy, two threads, prompts of ids cut from one repeated sentence, a different cut each round. What counts is the
// ratio of our median to the better peer's; absolute figures of a shared machine are worth little.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import {
  type Contender,
  check,
  type Figures,
  interleave,
  main,
  printResult,
  printTable,
  progress,
  ROOT,
  type Samples,
  show,
  spread,
} from './harness.ts'
import { ContenderProcess } from './peers/contender-process.ts'
import { installNodeLlamaCpp, installOpenVino } from './peers/install.ts'

const TEXT = 'The quick brown fox jumps over the lazy dog. '
const SINGLE = { prompts: 1, prompt: 512, generate: 128 }
const BATCH = { prompts: 32, prompt: 64, generate: 64 }
type Shape = typeof SINGLE

/** How to start a contender for a shape; the peers' arguments are in their runners. */
interface Competitor {
  name: string
  command: string
  args(shape: Shape): string[]
}

async function competitors(model: string, threads: number): Promise<Competitor[]> {
  const context = (shape: Shape) => shape.prompt + shape.generate + 8
  const common = (shape: Shape) => [model, String(threads), String(shape.prompts), String(context(shape))]
  const runner = (name: string) => join(__dirname, 'peers', `${name}.js`)
  const all: Competitor[] = [
    { name: 'kvasir', command: process.execPath, args: (shape) => [runner('kvasir'), ...common(shape)] },
  ]
  const add = async (name: string, install: () => Promise<Omit<Competitor, 'name'>>) => {
    try {
      all.push({ name, ...(await install()) })
    } catch (error) {
      progress(`${name} is left out: ${(error as Error).message}`)
    }
  }
  await add('node-llama-cpp', async () => {
    const folder = await installNodeLlamaCpp()
    return { command: process.execPath, args: (shape) => [runner('node-llama-cpp'), folder, ...common(shape)] }
  })
  await add('openvino-genai', async () => {
    const script = join(ROOT, 'bench', 'peers', 'openvino_genai_peer.py')
    return { command: await installOpenVino(), args: (shape) => [script, ...common(shape)] }
  })
  return all
}

/** Rounds of one shape over all competitors. `measure` turns an answer into figures. */
async function contest(
  list: Competitor[],
  shape: Shape,
  ids: readonly number[],
  rounds: number,
  measure: (seconds: number, firstTokenSeconds: number) => Figures,
): Promise<Samples> {
  const running: (ContenderProcess & { loadSeconds: number; version: string })[] = []
  const answers = new Map<number, number[][]>()
  try {
    const contenders: Contender[] = []
    for (const { name, command, args } of list) {
      const child = await ContenderProcess.start(name, command, args(shape))
      running.push(child)
      progress(`${name} ${child.version}: loaded in ${child.loadSeconds.toFixed(2)} s`)
      contenders.push({
        name,
        run: async (round) => {
          const prompts = Array.from({ length: shape.prompts }, (_, i) =>
            ids.slice(round + i, round + i + shape.prompt),
          )
          const { tokens, seconds, firstTokenSeconds } = await child.run({ prompts, generate: shape.generate })
          checkAnswer(name, shape, tokens, answers, round, ids)
          return measure(seconds, firstTokenSeconds)
        },
      })
    }
    return await interleave(contenders, rounds)
  } finally {
    await Promise.all(running.map((child) => child.stop()))
  }
}

/**
 * Every token must be there. A long prompt of one sentence repeated is continued with that sentence by any correct
 * engine; after a short one engines may part at a near tie, so there three first tokens of four must be the same.
 */
function checkAnswer(
  name: string,
  shape: Shape,
  tokens: number[][],
  answers: Map<number, number[][]>,
  round: number,
  ids: readonly number[],
): void {
  check(
    tokens.length === shape.prompts && tokens.every((list) => list.length === shape.generate),
    `${name} generated ${tokens.map((list) => list.length)} tokens, ${shape.generate} were asked for`,
  )
  if (shape === SINGLE) {
    const wrong = tokens[0]!.findIndex((id, i) => id !== ids[round + shape.prompt + i])
    check(wrong < 0 || wrong >= 32, `${name} leaves the repeated sentence after ${wrong} tokens`)
  }
  const others = answers.get(round)
  if (!others) answers.set(round, tokens)
  else {
    const same = tokens.filter((list, i) => list[0] === others[i]![0]).length
    check(
      same >= 0.75 * shape.prompts,
      `${name} agrees with the first contender on ${same} first tokens of ${shape.prompts}`,
    )
  }
}

main(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'smollm2:135m' },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true },
    },
  })
  const rounds = Number(values.rounds)
  const llm = await load(values.model)
  const { path, isa } = llm.info
  const ids = await llm.tokenize(TEXT.repeat(100), { special: false })
  await llm.dispose()
  const everyone = await competitors(path, Number(values.threads))
  const list = values.only ? everyone.filter(({ name }) => values.only!.includes(name)) : everyone

  const single = await contest(list, SINGLE, ids, rounds, (seconds, first) => ({
    prefill: SINGLE.prompt / first,
    decode: (SINGLE.generate - 1) / (seconds - first),
  }))
  const batch = await contest(list, BATCH, ids, rounds, (seconds) => ({
    batch: (BATCH.prompts * BATCH.generate) / seconds,
  }))

  const figures: Figures = {}
  const rows = list.map(({ name }) => {
    const spreads = [
      single.get(name)!.get('prefill')!,
      single.get(name)!.get('decode')!,
      batch.get(name)!.get('batch')!,
    ].map(spread)
    const key = name.replaceAll('-', '_')
    for (const [i, what] of ['prefill', 'decode', 'batch'].entries()) figures[`${key}_${what}`] = spreads[i]!.median
    return [name, ...spreads.map(show)]
  })
  const peers = list.filter(({ name }) => name !== 'kvasir').map(({ name }) => name.replaceAll('-', '_'))
  if (peers.length > 0 && 'kvasir_prefill' in figures) {
    const ratios = ['prefill', 'decode', 'batch'].map((what) => {
      const best = Math.max(...peers.map((peer) => figures[`${peer}_${what}`]!))
      figures[`ratio_${what}`] = figures[`kvasir_${what}`]! / best
      return `${figures[`ratio_${what}`]!.toFixed(2)}×`
    })
    rows.push(['kvasir ÷ better peer', ...ratios])
  }
  printTable(['tokens a second', 'prefill 512', 'decode 128', 'batch 32×(64+64)'], rows)
  printResult('peers', figures, isa)
})

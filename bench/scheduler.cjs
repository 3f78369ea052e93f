// Host work of a step while many sequences decode: npm run build:ts && node bench/scheduler.cjs
//
//   plan    the scheduler's part: choose the tokens of the next step, reserve pages, and take the step back when it has
//           run. Budget: 60 µs at 256 sequences.
//   write   the plan as an Int32Array.
//   step    everything that the event loop does for a step: plan, write, results, text, pieces to their readers, with a
//           device that answers at once. Budget: 1 ms at 256 sequences (law 4).
//
// Contexts grow from 512 tokens, 17 pages each. Answers are checked first; the median of the samples counts.
const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { cpus } = require('node:os')
const { join } = require('node:path')

const root = join(__dirname, '..')
const lib = (path) => require(join(root, 'dist', path))
const { BlockAllocator } = lib('cache/block-allocator.js')
const { Engine } = lib('engine/engine.js')
const { GenerateRequest } = lib('engine/generate-request.js')
const { Generation } = lib('engine/generation.js')
const { StepWriter } = lib('engine/step.js')
const { samplingParams } = lib('sampling/params.js')
const { Qos } = lib('scheduler/policies/qos.js')
const { PrefixCache } = lib('scheduler/prefix-cache.js')
const { Scheduler } = lib('scheduler/scheduler.js')
const { Swap } = lib('scheduler/swap.js')

const CONTEXT = 512
const WARM_UP = 500
const SAMPLES = 1000
const LONGEST = CONTEXT + WARM_UP + SAMPLES + 200 // the prompts take steps too

const limitsFor = (n) => ({ maxTokens: 4096, maxSequences: n, maxRows: n, context: LONGEST })
const pagesFor = (n) => n * Math.ceil(LONGEST / 32)
const prompt = Int32Array.from({ length: CONTEXT }, (_, i) => i)
const params = samplingParams({ temperature: 0, maxTokens: LONGEST - CONTEXT }, 1000, [])
const detokenizer = () => ({ push: () => 'word ', flush: () => '' })
const requestOf = (listener) =>
  new GenerateRequest(listener, { prompt, params, longest: LONGEST, program: 0, detokenizer })

/** Plans and words, with results thrown in by hand. */
function scheduling(n) {
  const blocks = new BlockAllocator(pagesFor(n))
  const prefixes = new PrefixCache(blocks, new Swap({ pages: pagesFor(n), guessMs: 1 }))
  const scheduler = new Scheduler(blocks, limitsFor(n), { policy: new Qos(), prefixes })
  const writer = new StepWriter()
  const listener = { piece() {}, resolve() {}, reject() {} }
  for (let i = 0; i < n; i++) scheduler.add(requestOf(listener).sequences[0])
  const times = { plan: [], write: [] }
  let flight
  const step = (sample) => {
    const start = process.hrtime.bigint()
    const plan = scheduler.plan()
    const planned = process.hrtime.bigint()
    writer.write(plan)
    const written = process.hrtime.bigint()
    if (flight) {
      scheduler.complete(flight, 5 + n / 50)
      const done = process.hrtime.bigint()
      if (sample) times.plan.push(Number(planned - start + done - written) / 1e3)
      for (const { seq } of flight.rows) seq.take({ id: 1, logprob: 0, stop: false, topIds: [], topLogprobs: [] }, 0)
    }
    if (sample) times.write.push(Number(written - planned) / 1e3)
    flight = plan
    return plan
  }
  const decodes = ({ chunks, tokens }) => chunks.length === n && tokens === n
  while (!decodes(step(false))) {}
  scheduler.check()
  assert(flight.blocks >= n * 17 && flight.rows.length === n)
  for (let i = -WARM_UP; i < SAMPLES; i++) step(i >= 0)
  assert(decodes(flight))
  return times
}

/** The whole engine, on a device that answers at once. */
async function stepping(n) {
  const times = []
  let last
  let count = 0
  const executor = {
    open() {},
    async dispose() {},
    async submit(words) {
      const rows = words[3]
      const result = new Int32Array(4 * rows)
      for (let i = 0; i < rows; i++) result[4 * i] = i
      if (++count % 2 === 0) return result // two are in flight, and answered together
      const now = process.hrtime.bigint()
      if (rows === n && last) times.push(Number(now - last) / 2e3)
      last = now
      return result
    },
  }
  const engine = new Engine({ executor, pages: pagesFor(n), limits: limitsFor(n) })
  const read = async () => {
    let pieces = 0
    const generation = new Generation(engine, async (listener) => requestOf(listener))
    for await (const piece of generation) pieces += piece.tokens.length
    return pieces
  }
  const counts = await Promise.all(Array.from({ length: n }, read))
  assert.deepEqual(new Set(counts), new Set([LONGEST - CONTEXT]))
  await engine.dispose()
  return times.slice(WARM_UP / 2)
}

const at = (times, q) => times.sort((a, b) => a - b)[Math.floor(q * (times.length - 1))]

async function main() {
  const figures = {}
  console.log('µs, median (10 % … 90 %)')
  for (const n of [1, 64, 256, 1024]) {
    const times = { ...scheduling(n), step: await stepping(n) }
    for (const [name, list] of Object.entries(times)) {
      figures[`${name}.${n}`] = Number(at(list, 0.5).toFixed(1))
      const spread = `${at(list, 0.1).toFixed(1)} … ${at(list, 0.9).toFixed(1)}`
      console.log(
        `${name.padEnd(6)} ${String(n).padStart(5)} sequences ${at(list, 0.5).toFixed(1).padStart(8)}  (${spread})`,
      )
    }
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  console.log(
    JSON.stringify({ bench: 'scheduler', commit, machine: `${cpus()[0].model}, node ${process.version}`, figures }),
  )
}

void main()

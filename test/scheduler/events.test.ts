// Admit, fork, abort, run, fail, resize, swap out and in, in any order, under every policy, with the prefix cache: after
// each event all pages, places and slots are accounted for, every sequence computes on its own tokens, nobody gives way
// too often or to a lower class, and everybody comes to an end with the tokens that it would have alone. Every choice of
// a scenario is a number of a list, so fast-check shrinks what fails to a few events, and prints the seed;
// KVASIR_SEED=<n> plays it again. A million events: KVASIR_TEST=full npx vitest run test/scheduler/events.test.ts
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BlockAllocator, pagesFor } from '../../lib/cache/block-allocator.ts'
import type { StepPlan } from '../../lib/scheduler/plan.ts'
import { Fcfs } from '../../lib/scheduler/policies/fcfs.ts'
import { Qos } from '../../lib/scheduler/policies/qos.ts'
import { SgLang } from '../../lib/scheduler/policies/sglang.ts'
import { Vllm } from '../../lib/scheduler/policies/vllm.ts'
import { PrefixCache } from '../../lib/scheduler/prefix-cache.ts'
import { Scheduled } from '../../lib/scheduler/scheduled.ts'
import { Scheduler } from '../../lib/scheduler/scheduler.ts'
import { PRIORITIES, type Service } from '../../lib/scheduler/service.ts'
import { Swap, type SwapJob } from '../../lib/scheduler/swap.ts'
import { random } from '../support/random.ts'

const PAGE = 32
const POLICIES = [() => new Qos<Text>(), () => new Fcfs<Text>(), () => new Vllm<Text>(), () => new SgLang<Text>()]

/** Whole numbers in [0, n), one after the other; 0 when the list is at its end. */
type Draw = (n: number) => number

class Text extends Scheduled {
  readonly ids: number[]
  /** All answers to its prompt, itself among them. */
  choices: Text[] = [this]

  constructor(
    ids: number[],
    most: number,
    readonly output: number,
    settled: boolean,
    service: Service & { tenant: string },
  ) {
    super({
      ...{ work: 'generate', program: 0, length: ids.length, limit: ids.length + most, salt: service.tenant },
      ...{ settled, service },
    })
    this.ids = [...ids]
  }

  override copyTokens(start: number, end: number, words: Int32Array, at: number): number {
    for (let p = start; p < end; p++) {
      if (p >= this.known) throw new Error(`id ${p} is asked for, ${this.known} are known`)
      words[at++] = this.ids[p]!
    }
    return at
  }
}

/** What the pages and the places hold: the id and the position of each token. */
class Device {
  private readonly ids: Int32Array
  private readonly positions: Int32Array

  constructor(pages: number) {
    this.ids = new Int32Array(pages * PAGE).fill(-1)
    this.positions = new Int32Array(pages * PAGE).fill(-1)
  }

  copy(copies: readonly number[]): void {
    for (let i = 0; i < copies.length; i += 2) {
      const [from, to] = [copies[i]! * PAGE, copies[i + 1]! * PAGE]
      this.ids.copyWithin(to, from, from + PAGE)
      this.positions.copyWithin(to, from, from + PAGE)
    }
  }

  forget(pages: readonly number[]): void {
    for (const page of pages) this.positions.fill(-1, page * PAGE, (page + 1) * PAGE)
  }

  /** Pages as they were when the step was planned: a table may change afterwards. */
  run(plan: StepPlan<Text>, tables: Int32Array[]): void {
    this.copy(plan.copies)
    plan.chunks.forEach(({ seq, start, count }, i) => {
      // Also of a sequence that is over: the step was under way already.
      for (let p = start; p < start + count; p++) {
        const cell = tables[i]![p >> 5]! * PAGE + (p & 31)
        this.ids[cell] = seq.ids[p] ?? -1
        this.positions[cell] = p
      }
    })
    const sampled = new Map<Text, number>() // what the logits of a sequence say, of what the cache holds of it
    plan.chunks.forEach(({ seq, start, count }, i) => {
      if (seq.choices.every(({ state }) => state === 'done')) return
      let hash = 0
      for (let p = 0; p < start + count; p++) {
        const cell = tables[i]![p >> 5]! * PAGE + (p & 31)
        if (this.positions[cell] !== p || this.ids[cell] !== seq.ids[p])
          throw new Error(
            `token ${p} should be ${seq.ids[p]}, found ${this.ids[cell]} of place ${this.positions[cell]}`,
          )
        hash = mix(hash, this.ids[cell]!)
      }
      sampled.set(seq, hash % IDS)
    })
    for (const { seq } of plan.rows) {
      if (seq.state === 'done') continue
      seq.ids.push(sampled.get(seq) ?? sampled.get(seq.choices[0]!)!)
    }
  }
}

const IDS = 50
const mix = (hash: number, id: number): number => (Math.imul(hash ^ id, 0x9e3779b1) >>> 7) + 1

/** The ids of `seq` when nothing else runs. */
function alone({ ids, promptLength, output }: Text): number[] {
  const own = ids.slice(0, promptLength)
  let hash = own.reduce(mix, 0)
  while (own.length < promptLength + output) {
    own.push(hash % IDS)
    hash = mix(hash, own.at(-1)!)
  }
  return own
}

/** A step, copies out or in, or pages that go back to the system: done in order. */
type Task = { plan: StepPlan<Text>; tables: Int32Array[] } | { job: SwapJob<Text> } | { gone: readonly number[] }

function scenario(below: Draw, events: number) {
  let now = 0
  const pages = 4 + below(28)
  const blocks = new BlockAllocator(pages)
  const maxSequences = 1 + below(8)
  const limits = { maxTokens: 1 + below(80), maxSequences, maxRows: maxSequences, context: 1200 }
  const policy = POLICIES[below(POLICIES.length)]!()
  const how = below(4) // no swap, always, as the model of time says
  const places = 1 + below(40)
  const swap = how > 0 ? new Swap({ pages: places, guessMs: 0.5, always: how > 1 }) : undefined
  const prefixes = new PrefixCache(blocks, swap)
  const scheduler = new Scheduler<Text>(blocks, limits, { policy, prefixes, clock: () => now })
  const device = new Device(pages + places)
  const live = new Set<Text>()
  const flight: Task[] = []
  const counts = { done: 0, forked: 0, aborted: 0, failed: 0, resized: 0, broken: 0 }
  const steps = () => flight.filter((task) => 'plan' in task).length
  let retired = 0

  const end = (seq: Text) => {
    scheduler.finish(seq)
    live.delete(seq)
  }
  const abort = (seq: Text) => seq.choices.forEach(end)
  const admit = () => {
    const longest = Math.max(1, blocks.budget * 16)
    const length = 1 + below(below(3) === 0 ? longest : Math.ceil(longest / 4))
    const [known, stem, rest] = [below(length + 1), random(below(3)), random(below(1000))]
    const ids = Array.from({ length }, (_, p) => (p < known ? stem : rest).below(IDS))
    const most = 1 + below(longest)
    const settled = below(4) === 3
    const service = { priority: PRIORITIES[below(3)]!, tenant: below(5) === 4 ? 'other' : '' }
    const answers = below(5) < 4 ? 1 : 1 + below(Math.min(3, maxSequences))
    const choices = Array.from({ length: answers }, () => new Text(ids, most, 1 + below(most), settled, service))
    const [seq, ...forks] = choices as [Text, ...Text[]]
    seq.forks = forks
    for (const choice of choices) {
      choice.choices = choices
      live.add(choice)
    }
    scheduler.add(seq)
    if (forks.length > 0) counts.forked++
  }
  const resize = () => {
    const least = Math.max(4, ...[...live].map((seq) => pagesFor(seq.mostCached)))
    blocks.resize(least + below(pages - least + 1))
    submitCopies()
    if (blocks.gone.length > retired) flight.push({ gone: blocks.gone.slice(retired) })
    retired = blocks.gone.length
    counts.resized++
  }
  const submitCopies = () => {
    for (const job of swap?.take<Text>() ?? []) flight.push({ job })
  }
  const launch = () => {
    const plan = scheduler.plan()
    scheduler.expired.splice(0).forEach(abort)
    submitCopies()
    if (plan) {
      if (plan.tokens > limits.maxTokens || plan.rows.length > limits.maxRows) throw new Error('the step is too large')
      if (policy.name === 'qos') checkOrder(plan)
      flight.push({ plan, tables: plan.chunks.map(({ seq }) => seq.blocks.list().slice()) })
    } else if (flight.length === 0 && live.size > 0)
      throw new Error(`${live.size} sequences are left, and nothing runs`)
  }
  // Nobody of a lower class keeps what a higher one had to give up, unless it gave way too often already, or has just
  // started on the claim of its class.
  const checkOrder = ({ preempted, step }: StepPlan<Text>) => {
    for (const victim of preempted)
      for (const seq of scheduler.running)
        if (seq.rank > victim.rank && !seq.settled && policy.mayGiveWay(seq) && seq.firstStep < step)
          throw new Error(`class ${victim.rank} gave way, class ${seq.rank} runs`)
  }
  const land = () => {
    const task = flight.shift()!
    if ('gone' in task) device.forget(task.gone)
    else if ('job' in task) {
      now += 1
      if (swap!.failed || below(50) === 49) {
        if (!swap!.failed) counts.broken++
        scheduler.loading!.failed()
        return
      }
      device.copy(task.job.copies)
      scheduler.loading!.done(task.job, task.job.copies.length * (1 + below(3)) * 0.2)
    } else landStep(task.plan, task.tables)
  }
  const landStep = (plan: StepPlan<Text>, tables: Int32Array[]) => {
    now += 1 + plan.tokens / 8
    if (below(100) === 99) {
      scheduler.fail(plan)
      for (const { seq } of [...plan.chunks, ...plan.rows]) {
        for (const choice of seq.choices) choice.spoiled = true // as the engine does: they share pages
        if (live.has(seq)) abort(seq)
      }
      counts.failed++
      return
    }
    device.run(plan, tables)
    scheduler.complete(plan, 1 + plan.tokens / 8)
    for (const { seq } of plan.rows) {
      if (seq.state === 'done') continue
      seq.known++
      if (seq.known - seq.promptLength < seq.output) continue
      if (seq.ids.slice(0, seq.known).join() !== alone(seq).join()) throw new Error('not the answer that it has alone')
      end(seq)
      counts.done++
    }
  }

  for (let i = 0; i < events || live.size > 0; i++) {
    const event = below(100)
    if (event >= 80 && i < events && live.size < 30) admit()
    else if ((event === 78 || event === 79) && live.size > 0) {
      abort([...live][below(live.size)]!)
      counts.aborted++
    } else if (event === 77 && i < events) resize()
    else if (flight.length > 0 && (steps() === 2 || event < 40)) land()
    else launch()
    if (i > 50 * events + 1e5) throw new Error(`no end: ${live.size} sequences are left`)
    scheduler.check()
    for (const seq of scheduler.running)
      if (seq.preemptions > policy.mostPreemptions) throw new Error(`gave way ${seq.preemptions} times`)
  }
  blocks.resize(pages)
  while (flight.length > 0) land()
  scheduler.check()
  expect([blocks.free, scheduler.capacity.freeSlots]).toEqual([pages, maxSequences])
  if (swap) expect(swap.places.free).toBe(places)
  swap?.places.check([]) // nothing outside is held
  const { outPages = 0, inPages = 0 } = swap?.stats() ?? {}
  const { hits } = prefixes.stats()
  return { ...counts, preemptions: scheduler.room.preemptions, hits, outPages, inPages }
}

const EVENTS = 500
const DRAWS = 20 * EVENTS
const REPLAY = process.env['KVASIR_SEED'] ? { seed: Number(process.env['KVASIR_SEED']) } : {}
const runs = (process.env['KVASIR_TEST'] === 'full' ? 1_000_000 : 20_000) / EVENTS

it(`keeps its promises over ${runs * EVENTS} random events`, { timeout: 900_000 }, () => {
  const total = {
    ...{ done: 0, forked: 0, aborted: 0, failed: 0, resized: 0, broken: 0, preemptions: 0, hits: 0 },
    ...{ outPages: 0, inPages: 0 },
  }
  const draws = fc.array(fc.nat({ max: 2 ** 20 }), { maxLength: DRAWS, size: 'max' })
  const property = fc.property(draws, (list) => {
    let next = 0
    const found = scenario((n) => (list[next++] ?? 0) % n, EVENTS)
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += found[key]
  })
  fc.assert(property, { numRuns: runs, ...REPLAY, interruptAfterTimeLimit: 600_000 }) // shrinking, too, ends some day
  console.log(`${runs * EVENTS} random events and those that end them: ${JSON.stringify(total)}`)
  const { broken, ...often } = total
  for (const count of Object.values(often)) expect(count).toBeGreaterThan(runs / 20)
  if (runs > 1000) expect(broken).toBeGreaterThan(runs / 20) // copies fail in one run of ten: forty runs may have none
})

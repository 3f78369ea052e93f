// Admit, fork, abort, run, fail, in any order, under every policy, with the prefix cache: after each event all pages and
// slots are accounted for, every sequence computes on its own tokens, nobody gives way too often, and everybody comes to
// an end. Every choice of a scenario is a number of a list, so fast-check shrinks what fails to a few events, and prints
// the seed; KVASIR_SEED=<n> plays it again.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BlockAllocator } from '../../lib/cache/block-allocator.ts'
import type { StepPlan } from '../../lib/scheduler/plan.ts'
import { Fcfs } from '../../lib/scheduler/policies/fcfs.ts'
import { Qos } from '../../lib/scheduler/policies/qos.ts'
import { SgLang } from '../../lib/scheduler/policies/sglang.ts'
import { Vllm } from '../../lib/scheduler/policies/vllm.ts'
import { PrefixCache } from '../../lib/scheduler/prefix-cache.ts'
import { Scheduled } from '../../lib/scheduler/scheduled.ts'
import { Scheduler } from '../../lib/scheduler/scheduler.ts'
import { PRIORITIES, type Service } from '../../lib/scheduler/service.ts'
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

/** What the pages hold: the id and the position of each token. */
class Device {
  private readonly ids: Int32Array
  private readonly positions: Int32Array

  constructor(pages: number) {
    this.ids = new Int32Array(pages * PAGE).fill(-1)
    this.positions = new Int32Array(pages * PAGE).fill(-1)
  }

  /** Pages as they were when the step was planned: a table may change afterwards. */
  run(plan: StepPlan<Text>, tables: Int32Array[], next: (seq: Text) => number): void {
    for (let i = 0; i < plan.copies.length; i += 2) {
      const [from, to] = [plan.copies[i]! * PAGE, plan.copies[i + 1]! * PAGE]
      this.ids.copyWithin(to, from, from + PAGE)
      this.positions.copyWithin(to, from, from + PAGE)
    }
    plan.chunks.forEach(({ seq, start, count }, i) => {
      // Also of a sequence that is over: the step was under way already.
      for (let p = start; p < start + count; p++) {
        const cell = tables[i]![p >> 5]! * PAGE + (p & 31)
        this.ids[cell] = seq.ids[p] ?? -1
        this.positions[cell] = p
      }
    })
    plan.chunks.forEach(({ seq, start, count }, i) => {
      if (seq.state === 'done') return
      for (let p = 0; p < start + count; p++) {
        const cell = tables[i]![p >> 5]! * PAGE + (p & 31)
        if (this.positions[cell] !== p || this.ids[cell] !== seq.ids[p])
          throw new Error(
            `token ${p} should be ${seq.ids[p]}, found ${this.ids[cell]} of place ${this.positions[cell]}`,
          )
      }
    })
    for (const { seq } of plan.rows) if (seq.state !== 'done') seq.ids.push(next(seq))
  }
}

function scenario(below: Draw, events: number) {
  let now = 0
  const pages = 4 + below(28)
  const blocks = new BlockAllocator(pages)
  const maxSequences = 1 + below(8)
  const limits = { maxTokens: 1 + below(80), maxSequences, maxRows: maxSequences, context: 1200 }
  const policy = POLICIES[below(POLICIES.length)]!()
  const prefixes = new PrefixCache(blocks)
  const scheduler = new Scheduler<Text>(blocks, limits, { policy, prefixes, clock: () => now })
  const device = new Device(pages)
  const longest = pages * 16
  const live = new Set<Text>()
  const flight: { plan: StepPlan<Text>; tables: Int32Array[] }[] = []
  const counts = { done: 0, forked: 0, aborted: 0, failed: 0 }

  const end = (seq: Text) => {
    scheduler.finish(seq)
    live.delete(seq)
  }
  const abort = (seq: Text) => seq.choices.forEach(end)
  const admit = () => {
    const length = 1 + below(longest)
    const [known, stem, rest] = [below(length + 1), random(below(3)), random(below(1000))]
    const ids = Array.from({ length }, (_, p) => (p < known ? stem : rest).below(50))
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
  const launch = () => {
    const plan = scheduler.plan()
    scheduler.expired.splice(0).forEach(abort)
    if (plan) {
      if (plan.tokens > limits.maxTokens || plan.rows.length > limits.maxRows) throw new Error('the step is too large')
      flight.push({ plan, tables: plan.chunks.map(({ seq }) => seq.blocks.list().slice()) })
    } else if (flight.length === 0 && live.size > 0)
      throw new Error(`${live.size} sequences are left, and nothing runs`)
  }
  const land = () => {
    const { plan, tables } = flight.shift()!
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
    device.run(plan, tables, (seq) => (seq.ids.length * 31 + seq.ids.at(-1)! * 7) % 50)
    scheduler.complete(plan, 1 + plan.tokens / 8)
    for (const { seq } of plan.rows) {
      if (seq.state === 'done') continue
      seq.known++
      if (seq.known - seq.promptLength < seq.output) continue
      end(seq)
      counts.done++
    }
  }

  for (let i = 0; i < events || live.size > 0; i++) {
    const event = below(100)
    if (event >= 80 && i < events && live.size < 30) admit()
    else if (event >= 78 && live.size > 0) {
      abort([...live][below(live.size)]!)
      counts.aborted++
    } else if (flight.length > 0 && (flight.length === 2 || event < 40)) land()
    else launch()
    if (i > 50 * events + 1e5) throw new Error(`no end: ${live.size} sequences are left`)
    scheduler.check()
    for (const seq of scheduler.running)
      if (seq.preemptions > policy.mostPreemptions) throw new Error(`gave way ${seq.preemptions} times`)
  }
  while (flight.length > 0) land()
  scheduler.check()
  expect([blocks.free, scheduler.capacity.freeSlots]).toEqual([pages, maxSequences])
  return { ...counts, preemptions: scheduler.room.preemptions, hits: prefixes.stats().hits }
}

const EVENTS = 500
const DRAWS = 20 * EVENTS
const REPLAY = process.env['KVASIR_SEED'] ? { seed: Number(process.env['KVASIR_SEED']) } : {}
const runs = (process.env['KVASIR_TEST'] === 'full' ? 1_000_000 : 20_000) / EVENTS

it(`keeps its promises over ${runs * EVENTS} random events`, { timeout: 900_000 }, () => {
  const total = { done: 0, forked: 0, aborted: 0, failed: 0, preemptions: 0, hits: 0 }
  const draws = fc.array(fc.nat({ max: 2 ** 20 }), { maxLength: DRAWS, size: 'max' })
  const property = fc.property(draws, (list) => {
    let next = 0
    const found = scenario((n) => (list[next++] ?? 0) % n, EVENTS)
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += found[key]
  })
  fc.assert(property, { numRuns: runs, ...REPLAY, interruptAfterTimeLimit: 600_000 }) // shrinking, too, ends some day
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(runs / 8)
})

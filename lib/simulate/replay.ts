// The real scheduler, under a virtual clock, over a device that only takes time: a trace of an hour in a second or two.
// Two steps are in flight, as in lib/engine/engine.ts; the scheduler's own model of time learns from the steps that ran.
import { BlockAllocator, PAGE_TOKENS } from '../cache/block-allocator.ts'
import { KvasirError } from '../errors.ts'
import type { StepPlan } from '../scheduler/plan.ts'
import type { Policy } from '../scheduler/policy.ts'
import { PrefixCache } from '../scheduler/prefix-cache.ts'
import { Scheduled } from '../scheduler/scheduled.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { PRIORITIES } from '../scheduler/service.ts'
import { Swap, type SwapJob } from '../scheduler/swap.ts'
import { type Profile, SimulatedDevice } from './device.ts'
import { TRACE_BLOCK, type TraceRequest } from './trace.ts'

const STEPS_IN_FLIGHT = 2
const SAMPLE_STEPS = 16 // memory is looked at once in so many steps
const OUTPUT_IDS = 2 ** 30 // ids from here on are of answers, and of nobody else

export interface ReplayOptions {
  policy: Policy<SimulatedSequence>
  profile: Profile
  /** Times as fast as the trace. */
  scale: number
  /** Shares of the three classes. */
  mix: readonly [number, number, number]
  seed: number
  /** Pages that there is room for outside the KV cache. Default none. */
  swapPages?: number | undefined
}

/** What happened to all requests, and to the device meanwhile. */
export interface Saturated {
  saturatedUsed: number
  saturatedHeld: number
  saturatedKept: number
}

export interface Replay extends Saturated {
  sequences: SimulatedSequence[]
  /** Milliseconds of the virtual clock, and of the device at work. */
  elapsed: number
  busy: number
  /** Milliseconds in which some request was there. */
  wanted: number
  steps: number
  preemptions: number
  /** Pages copied out and in. */
  swapped: { out: number; in: number }
  /** Tokens computed, those that were computed before included. */
  computed: number
  refused: number
  /** Means over time: pages that somebody owns, and of their tokens those that are computed. */
  pagesUsed: number
  pagesLive: number
  /** The largest share of pages ever owned. */
  pagesPeak: number
  hitTokens: number
  /** Milliseconds of this machine. */
  wallMs: number
}

type Plan = StepPlan<SimulatedSequence>
type Job = SwapJob<SimulatedSequence>
/** A step or copies, when the device does them. */
type Task = ({ plan: Plan } | { job: Job }) & { start: number; end: number }

export class SimulatedSequence extends Scheduled {
  first = 0
  last = 0
  longestGap = 0
  done = 0

  constructor(
    readonly request: TraceRequest,
    readonly index: number,
    rank: number,
    profile: Profile,
  ) {
    const priority = PRIORITIES[rank]!
    const { prompt, output } = request
    const context = profile.limits.context
    // Nobody says how long an answer will be: a client asks for a round number that is enough.
    const most = Math.min(context - prompt, Math.max(1024, 2 ** Math.ceil(Math.log2(output))))
    super({
      ...{ work: 'generate', program: 0, length: prompt, limit: prompt + Math.max(most, output) },
      salt: request.blocks ? '' : `#${index}`,
      service: { priority, ...profile.targets[priority] },
    })
  }

  override copyTokens(start: number, end: number, words: Int32Array, at: number): number {
    const { blocks } = this.request
    for (let p = start; p < end; p++)
      words[at++] =
        blocks && p < this.promptLength
          ? blocks[Math.floor(p / TRACE_BLOCK)]! * TRACE_BLOCK + (p % TRACE_BLOCK)
          : OUTPUT_IDS + ((this.index * 65_537 + p) % OUTPUT_IDS)
    return at
  }

  /** A token came at `now`. True with the last one. */
  take(now: number): boolean {
    this.known++
    if (this.done++ === 0) this.first = now
    else this.longestGap = Math.max(this.longestGap, now - this.last)
    this.last = now
    return this.done === this.request.output
  }
}

export function replay(requests: readonly TraceRequest[], options: ReplayOptions): Replay {
  const began = performance.now()
  const { policy, profile, scale, mix, seed, swapPages } = options
  let now = 0
  const random = generator(seed)
  const device = new SimulatedDevice(profile, generator(seed + 1))
  const blocks = new BlockAllocator(profile.pages)
  const swap = swapPages ? new Swap({ pages: swapPages, guessMs: profile.pageMs }) : undefined
  const prefixes = new PrefixCache(blocks, swap)
  const scheduler = new Scheduler<SimulatedSequence>(blocks, profile.limits, { policy, prefixes, clock: () => now })
  const sequences = requests.map((request, i) => new SimulatedSequence(request, i, draw(random(), mix), profile))
  const flight: Task[] = []
  let steps = 0 // of them
  const usage: Usage = { samples: 0, used: 0, live: 0, peak: 0, full: 0, usedFull: 0, heldFull: 0, keptFull: 0 }
  const result = { busy: 0, wanted: 0, steps: 0, refused: 0, computed: 0 }
  let open = 0 // requests that are there
  let next = 0

  const arrive = (seq: SimulatedSequence) => {
    try {
      scheduler.add(seq)
      open++
    } catch (error) {
      if (!(error instanceof KvasirError)) throw error
      result.refused++
    }
  }
  const send = (task: { plan: Plan } | { job: Job }, ms: number) => {
    const start = Math.max(now, flight.at(-1)?.end ?? 0)
    flight.push({ ...task, start, end: start + ms })
    result.busy += ms
  }
  const complete = (task: Task) => {
    if ('job' in task) {
      scheduler.loading!.done(task.job, task.end - task.start)
      return
    }
    const { plan, start, end } = task
    steps--
    result.computed += plan.tokens
    scheduler.complete(plan, end - start)
    for (const { seq } of plan.rows)
      if (seq.state !== 'done' && seq.take(now)) {
        scheduler.finish(seq)
        open--
      }
  }

  while (next < sequences.length || open > 0) {
    while (steps < STEPS_IN_FLIGHT) {
      const plan = scheduler.plan()
      for (const job of swap?.take<SimulatedSequence>() ?? []) send({ job }, device.swapTime(job.copies.length / 2))
      if (!plan) break
      send({ plan }, device.time(plan))
      steps++
      if (result.steps++ % SAMPLE_STEPS === 0) sample(scheduler, usage)
    }
    const arrival = next < sequences.length ? sequences[next]!.request.at / scale : Infinity
    const step = flight[0]?.end ?? Infinity
    const then = Math.min(arrival, step)
    if (then === Infinity) throw new Error(`replay: ${open} requests are left, and nothing runs`)
    if (open > 0) result.wanted += then - now
    now = then
    if (arrival <= step) arrive(sequences[next++]!)
    else complete(flight.shift()!)
  }
  for (const task of flight) if ('plan' in task) scheduler.complete(task.plan)
  scheduler.check()

  const samples = Math.max(1, usage.samples)
  return {
    ...result,
    ...{ sequences, elapsed: now, preemptions: scheduler.room.preemptions },
    ...{ pagesUsed: usage.used / samples, pagesLive: usage.live / samples, pagesPeak: usage.peak },
    ...saturated(usage),
    swapped: { out: swap?.stats().outPages ?? 0, in: swap?.stats().inPages ?? 0 },
    hitTokens: prefixes.stats().hitTokens,
    wallMs: performance.now() - began,
  }
}

interface Usage {
  samples: number
  /** Sums over the samples: held or promised, of all pages, and live tokens in those that are held. */
  used: number
  live: number
  peak: number
  /** Samples in which somebody found no room, and sums over them. */
  full: number
  usedFull: number
  heldFull: number
  keptFull: number
}

function sample({ capacity, running, policy }: Scheduler<SimulatedSequence>, usage: Usage): void {
  const { blocks } = capacity
  const owned = blocks.pages - blocks.free
  let tokens = 0
  let pages = 0
  let promised = 0
  for (const seq of running) {
    tokens += seq.computed
    pages += seq.blocks.count
    promised += seq.promised
  }
  usage.samples++
  usage.used += owned / blocks.pages
  usage.live += pages > 0 ? tokens / (pages * PAGE_TOKENS) : 1
  usage.peak = Math.max(usage.peak, owned / blocks.pages)
  if (policy.size === 0) return
  usage.full++
  usage.usedFull += owned / blocks.pages
  usage.heldFull += (owned - promised) / blocks.pages
  usage.keptFull += (owned - promised + blocks.cached) / blocks.pages
}

/** While somebody waited: pages held or promised, held, and held or kept by the prefix cache. */
function saturated({ full, usedFull, heldFull, keptFull }: Usage): Saturated {
  const mean = (sum: number) => (full > 0 ? sum / full : 0)
  return { saturatedUsed: mean(usedFull), saturatedHeld: mean(heldFull), saturatedKept: mean(keptFull) }
}

const draw = (x: number, mix: readonly number[]): number => (x < mix[0]! ? 0 : x < mix[0]! + mix[1]! ? 1 : 2)

/** Uniform in [0, 1): mulberry32 by Tommy Ettinger (public domain). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

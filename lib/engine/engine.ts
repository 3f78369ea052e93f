// The step loop. Plans a step, sends it, and while it runs plans the next one: two steps are in flight, so the device
// never waits for JavaScript. Between requests nothing is pending: no timer, no promise.
import { BlockAllocator } from '../cache/block-allocator.ts'
import { KvasirError } from '../errors.ts'
import type { DeviceStats, NativeExecutor } from '../native.ts'
import type { Limits } from '../scheduler/limits.ts'
import type { StepPlan } from '../scheduler/plan.ts'
import { Qos } from '../scheduler/policies/qos.ts'
import { PrefixCache } from '../scheduler/prefix-cache.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { Swap, type SwapOptions } from '../scheduler/swap.ts'
import { disposed } from './disposed.ts'
import type { EngineLoad } from './engine-load.ts'
import type { KvChange } from './kv-budget.ts'
import { KvMemory } from './kv-memory.ts'
import { byClass, type EngineObserver, type EngineView, Observers } from './observer.ts'
import type { Request } from './request.ts'
import type { Sequence } from './sequence.ts'
import { StepReader, StepWriter } from './step.ts'
import { Swapping } from './swapping.ts'

/** What the engine needs of a device. */
export type StepExecutor = Pick<NativeExecutor, 'open' | 'submit' | 'release' | 'dispose'> &
  Partial<Pick<NativeExecutor, 'stats' | 'swap'>>

const STEPS_IN_FLIGHT = 2

export interface EngineOptions {
  executor: StepExecutor
  limits: Limits
  /** Pages of the KV cache. */
  pages: number
  /** Share the pages of a common beginning between requests. Default true. */
  prefixCache?: boolean
  /** Room outside, for pages that somebody comes back for; the prefix cache finds them. Not on a device without swap(). */
  swap?: SwapOptions | undefined
}

export class Engine {
  private readonly executor: StepExecutor
  private readonly scheduler: Scheduler<Sequence>
  private readonly writer = new StepWriter()
  private readonly requests = new Set<Request<unknown>>()
  private readonly flight = new Set<Promise<void>>()
  private readonly observers = new Observers()
  private readonly swapping: Swapping<Sequence> | undefined
  readonly memory: KvMemory
  private lastEnd = 0
  private awake = false
  private disposal: Promise<void> | undefined

  constructor({ executor, limits, pages, prefixCache = true, swap }: EngineOptions) {
    this.executor = executor
    const blocks = new BlockAllocator(pages)
    this.memory = new KvMemory(blocks, executor, limits.context)
    this.scheduler = new Scheduler(blocks, limits, {
      policy: new Qos(),
      ...(prefixCache && { prefixes: new PrefixCache(blocks, swap && executor.swap && new Swap(swap)) }),
    })
    const { loading } = this.scheduler
    if (loading) this.swapping = new Swapping(executor as NativeExecutor, loading, () => this.swapped())
  }

  /** Tokens that a prompt and its answer may have together. */
  get longest(): number {
    return this.scheduler.capacity.longest
  }

  /** How busy it is now. */
  load(): EngineLoad {
    const { running, policy, capacity, room, loading } = this.scheduler
    const device: Partial<DeviceStats> = this.disposal ? {} : (this.executor.stats?.() ?? {})
    const { steps = 0, busyMs = 0, replays = 0, formats, background } = device
    return {
      requests: this.requests.size,
      priority: background ? 'background' : 'normal',
      running: running.length + (loading?.size ?? 0),
      waiting: policy.size,
      preemptions: room.preemptions,
      steps,
      busyMs,
      replays,
      formats: formats?.path.count ? formats : undefined,
      pages: capacity.blocks.budget,
      freePages: capacity.blocks.free,
      ...this.memory.stats(),
      freeSlots: capacity.freeSlots,
      prefixCache: capacity.prefixes?.stats(),
      swap: loading?.swap.stats(),
    }
  }

  /** Tells `observer` of every step and answer from now on. */
  watch(observer: Partial<EngineObserver>): EngineView {
    const { policy, capacity } = this.scheduler
    return {
      queue: () => ({ running: byClass(this.scheduler.running), waiting: byClass(policy.waiting()) }),
      pageCount: capacity.blocks.pages,
      pages: (states) => capacity.blocks.states(states),
      close: this.observers.add(observer),
    }
  }

  /** Puts a request in the line. Throws KV_TOO_LONG when it can never run, KV_DISPOSED after dispose(). */
  submit(request: Request<unknown>): void {
    if (this.disposal) throw disposed()
    this.scheduler.add(request.sequences[0]!) // the other answers join when the prompt is computed
    this.requests.add(request)
    this.wake()
  }

  /** Ends a request early: with `error`, or without one with what it has so far. Does nothing when it is over. */
  cancel(request: Request<unknown>, error?: unknown): void {
    if (!this.requests.delete(request)) return
    for (const seq of request.sequences) this.scheduler.finish(seq)
    if (error === undefined) request.interrupt()
    else request.fail(error)
    this.wake()
  }

  /**
   * From now on the KV cache has `budget` pages. Requests that need more wait or give way and are computed again later.
   * Throws KV_ARGUMENT when one of them could not be finished in so few.
   */
  resize(budget: number): void {
    if (this.disposal) throw disposed()
    this.memory.ask(budget, this.requests)
    this.moveMemory()
    this.wake()
  }

  /** Fewer pages than that while the machine is short of memory; as many again when it is not. */
  allow({ pages, why }: KvChange): void {
    if (this.disposal) return
    this.memory.allow(pages)
    this.moveMemory()
    this.wake()
    this.observers.tell((observer) => observer.resized?.(this.memory.pages(), why))
  }

  // After the steps that are queued pages are swapped, and then what has retired leaves the device's memory.
  private moveMemory(): void {
    this.swapping?.send()
    this.memory.giveBack()
  }

  /** Ends when the steps in flight have; what is unfinished then is rejected with KV_DISPOSED. */
  dispose(): Promise<void> {
    this.disposal ??= this.close()
    return this.disposal
  }

  /** Resolves when no step is in flight. */
  async settled(): Promise<void> {
    while (this.awake || this.busy) await Promise.all([...this.flight, ...(this.swapping?.pending ?? [])])
  }

  /** Throws when a page or a slot of the device is lost or held twice. */
  check(): void {
    this.scheduler.check()
  }

  // Requests that arrive together start together: the loop turns once, after all of them.
  private wake(): void {
    if (this.awake) return
    this.awake = true
    queueMicrotask(() => {
      this.awake = false
      this.advance()
    })
  }

  private advance(): void {
    try {
      while (this.flight.size < STEPS_IN_FLIGHT && !this.disposal) {
        const plan = this.scheduler.plan()
        this.moveMemory()
        this.refuseExpired()
        if (!plan) break
        this.launch(plan)
      }
      if (!this.busy && this.requests.size > 0 && !this.disposal)
        throw new KvasirError(
          'KV_NATIVE',
          `the scheduler can run none of ${this.requests.size} requests; this is a bug`,
        )
    } catch (error) {
      for (const request of [...this.requests]) this.cancel(request, error)
    }
  }

  // A step is in flight, or copies are.
  private get busy(): boolean {
    return this.flight.size > 0 || (this.swapping?.pending.size ?? 0) > 0
  }

  private swapped(): void {
    this.lastEnd = performance.now() // the next step began after it
    this.wake()
  }

  private refuseExpired(): void {
    if (this.scheduler.expired.length === 0) return
    for (const { request, deadline, arrival } of this.scheduler.expired.splice(0))
      this.cancel(
        request,
        new KvasirError(
          'KV_DEADLINE',
          `the request waited for ${Math.round(performance.now() - arrival)} ms, but had a deadline after ` +
            `${Math.round(deadline - arrival)}; try again when less is going on, or with a higher priority`,
        ),
      )
  }

  private launch(plan: StepPlan<Sequence>): void {
    const step = this.run(plan).then(() => {
      this.flight.delete(step)
      this.wake()
    })
    this.flight.add(step)
  }

  private async run(plan: StepPlan<Sequence>): Promise<void> {
    try {
      for (const seq of plan.opened) {
        this.executor.open(seq.slot, seq.sampler)
        seq.request.scheduled()
      }
      const submitted = performance.now()
      const result = await this.executor.submit(this.writer.write(plan))
      const now = performance.now()
      // It began when it was submitted, or when the step before it had ended.
      const ms = now - Math.max(submitted, this.lastEnd)
      this.scheduler.complete(plan, ms)
      this.lastEnd = now
      if (!this.observers.none) this.observers.tell((observer) => observer.stepped?.(plan, ms))
      this.collect(plan, new StepReader(result))
    } catch (error) {
      this.scheduler.fail(plan)
      this.fail(plan, error)
    }
  }

  // Hands the results out. A sequence that was over when this step was already in flight gets nothing.
  private collect(plan: StepPlan<Sequence>, result: StepReader): void {
    const now = performance.now()
    for (const { seq, position } of plan.rows) {
      const row = result.nextRow()
      this.settle(seq, now, () => seq.take(row, position))
    }
    if (plan.chunks[0]?.seq.work !== 'embed') return
    const vectors = result.pooled(plan.chunks.length)
    plan.chunks.forEach(({ seq, start, count }, i) => {
      this.settle(seq, now, () => seq.takePooled(vectors[i]!, start + count))
    })
  }

  private settle(seq: Sequence, now: number, take: () => boolean): void {
    if (seq.state === 'done') return
    try {
      if (seq.request.progressed(now)) this.began(seq)
      if (!take()) return
      if (!this.observers.none) this.ended(seq)
      this.scheduler.finish(seq)
      if (seq.request.ended()) this.requests.delete(seq.request)
    } catch (error) {
      this.cancel(seq.request, error) // one request's trouble is not another's
    }
  }

  private began(seq: Sequence): void {
    if (this.observers.none || seq.work !== 'generate') return
    const { ttftMs } = seq.request.timings()
    this.observers.tell((observer) => observer.began?.(seq, ttftMs))
  }

  private ended(seq: Sequence): void {
    if (seq.work !== 'generate') return
    const timings = seq.request.timings()
    this.observers.tell((observer) => observer.ended?.(seq, timings))
  }

  // The step did not run: whoever had tokens or rows in it fails, everybody else goes on.
  private fail(plan: StepPlan<Sequence>, error: unknown): void {
    const hit = new Set([...plan.chunks, ...plan.rows].map(({ seq }) => seq.request))
    for (const request of hit) {
      // Its other answers read the same prompt, maybe in a step that is in flight already.
      for (const seq of request.sequences) seq.spoiled = true
      this.cancel(request, error)
    }
  }

  private async close(): Promise<void> {
    await this.settled()
    for (const request of [...this.requests]) this.cancel(request, disposed())
    await this.executor.dispose()
  }
}

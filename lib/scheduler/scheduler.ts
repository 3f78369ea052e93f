// Which tokens run in the next step. A sequence has `length` tokens of which `computed` are in the cache; scheduling
// closes that gap, so that prefill, chunked prefill, decode and recompute are one case.
//
// Streams (a gap of one) come first, in the order that the policy gave them; then prompts that have begun and prompts that
// wait share what the step has left, in tokens, rows and milliseconds. When pages run out, a sequence at the end of the
// order gives up its own and comes back later. Somebody always makes progress: a prompt has all of its pages when it
// starts, the first stream can take from all others, and who had to give way too often starts again only with all the
// memory that it will ever need, and is left alone.
import type { BlockAllocator } from '../cache/block-allocator.ts'
import { Admission } from './admission.ts'
import { Budget } from './budget.ts'
import { Capacity } from './capacity.ts'
import type { Limits } from './limits.ts'
import { Loading } from './loading.ts'
import { Outlook } from './outlook.ts'
import { StepPlan } from './plan.ts'
import { Fcfs } from './policies/fcfs.ts'
import type { Policy } from './policy.ts'
import type { PrefixCache } from './prefix-cache.ts'
import { Room } from './room.ts'
import type { Scheduled } from './scheduled.ts'
import { StepTime } from './step-time.ts'
import { Turns } from './turns.ts'

export interface SchedulerOptions<S extends Scheduled> {
  /** Who goes first. Default: who came first. */
  policy?: Policy<S>
  /** Without one, nothing is shared between requests. */
  prefixes?: PrefixCache
  /** Milliseconds. */
  clock?: () => number
}

export class Scheduler<S extends Scheduled = Scheduled> {
  running: S[] = []
  readonly capacity: Capacity
  readonly policy: Policy<S>
  readonly room: Room<S>
  /** Without swap there is none. */
  readonly loading: Loading<S> | undefined
  private readonly admission: Admission<S>
  private readonly clock: () => number
  private readonly times: StepTime[] = [] // of each program
  private readonly draining = new Set<S>()
  private readonly prompts: S[] = [] // those of the running that have more than one token to compute
  private readonly outlook = new Outlook()
  private readonly turns = new Turns()
  private step = 0
  private stepMs = Infinity // of the last step
  private swept = true // no sequence that is over is left in `running`

  constructor(
    blocks: BlockAllocator,
    readonly limits: Limits,
    { policy = new Fcfs<S>(), prefixes, clock = () => performance.now() }: SchedulerOptions<S> = {},
  ) {
    this.capacity = new Capacity(blocks, limits, prefixes)
    this.policy = policy
    this.clock = clock
    this.room = new Room(this.capacity, policy)
    if (prefixes) prefixes.time = (program) => this.time(program)
    if (prefixes?.swap) this.loading = new Loading<S>(prefixes.swap, prefixes, this.room, (seq) => this.enter(seq))
    this.admission = new Admission<S>(this.capacity, policy, this.room, this.loading)
  }

  /** Sequences that waited past their deadline; the owner takes them from here. */
  get expired(): S[] {
    return this.admission.expired
  }

  /** How long the steps of a program take. */
  time(program: number): StepTime {
    this.times[program] ??= new StepTime()
    return this.times[program]
  }

  /** Puts a sequence into the line. Throws KV_TOO_LONG when it can never run, KV_DEADLINE when it cannot be in time. */
  add(seq: S): void {
    this.capacity.checkFits(seq)
    seq.arrival = this.clock()
    seq.due = seq.arrival + seq.targets.ttftMs
    seq.deadline += seq.arrival
    // A deadline is worth a look into the cache: can it be met at all?
    const cached = seq.deadline < Infinity ? (this.capacity.prefixes?.find(seq) ?? 0) : 0
    this.policy.push(seq, this.time(seq.program), cached)
  }

  /** The next step with its memory reserved; undefined when nothing can run before a step in flight has ended. */
  plan(): StepPlan<S> | undefined {
    if (!this.swept) this.running = this.running.filter((seq) => seq.state === 'running')
    this.swept = true
    this.outlook.now = this.clock()
    // Asked for before the step is planned: a page that it copies from may be given away in it, but not overwritten yet.
    this.loading?.ask(this.running.length > 0 ? this.stepMs / 2 : Infinity)
    const plan = this.nextStep()
    if (!plan) this.loading?.ask(Infinity)
    return plan
  }

  /**
   * The step has run, in `ms` where that was measured: what waited for it is free, and the prompts that it completed are
   * there for others.
   */
  complete(plan: StepPlan<S>, ms?: number): void {
    for (const { seq, start, count } of plan.chunks)
      if (start < seq.promptLength && start + count >= seq.promptLength) this.capacity.publish(seq, plan.step)
    this.capacity.complete(plan.step)
    if (ms === undefined) return
    this.time(plan.program).observe(plan.work(), ms)
    this.stepMs = ms
  }

  /** The step did not run: nothing that it would have written may be read. */
  fail(plan: StepPlan<S>): void {
    for (const { seq } of plan.chunks) seq.spoiled = true
    for (const { seq } of plan.rows) seq.spoiled = true
    this.capacity.complete(plan.step)
  }

  /** The sequence is over, wherever it stands; what it holds is free when no step uses it. */
  finish(seq: S): void {
    if (seq.state === 'done') return
    if (seq.state === 'waiting') this.policy.remove(seq)
    if (seq.state === 'running') this.swept = false
    this.draining.delete(seq)
    this.loading?.cancel(seq)
    this.room.parked.delete(seq)
    seq.state = 'done'
    this.capacity.prefixes?.unpark(seq)
    this.capacity.release(seq, false)
  }

  /** Throws when a page or a slot is lost or held twice. */
  check(): void {
    const running = this.running.filter((seq) => seq.state === 'running')
    const live = [...running, ...this.draining, ...(this.loading?.sequences() ?? []), ...this.policy.waiting()]
    this.capacity.check(live.flatMap((seq) => [seq, ...seq.forks]).filter((seq) => seq.state !== 'done'))
  }

  private nextStep(): StepPlan<S> | undefined {
    for (const program of this.programs()) {
      const plan = this.planProgram(program)
      if (plan.chunks.length === 0) continue
      this.step = plan.step
      this.turns.taken(program)
      this.admission.open(plan)
      return plan
    }
    return undefined
  }

  private planProgram(program: number): StepPlan<S> {
    const plan = new StepPlan<S>(this.step + 1, program)
    this.outlook.reset(this.time(program))
    this.room.makeWay(this.running, this.outlook.now, plan)
    this.collectPrompts(program)
    if (this.policy.mixes) {
      // When memory is short nobody starts; a prompt that has begun goes on, for it has its memory.
      this.computePrompts(plan, this.continueStreams(plan))
    } else {
      this.computePrompts(plan, true)
      if (plan.chunks.length === 0) this.continueStreams(plan)
    }
    return plan
  }

  private collectPrompts(program: number): void {
    this.prompts.length = 0
    for (const seq of this.running)
      if (seq.length - seq.computed > 1 && seq.program === program && seq.state === 'running') {
        this.prompts.push(seq)
        this.outlook.prompt(seq)
      }
  }

  // False when a sequence found no memory, or had to take it from another: then nobody who comes later may take any.
  private continueStreams(plan: StepPlan<S>): boolean {
    const { outlook, policy } = this
    const [budget, time] = [this.budget(plan, Infinity), this.time(plan.program)]
    const before = plan.preempted.length
    let starved = false
    for (let i = 0; i < this.running.length && plan.tokens < this.limits.maxTokens; i++) {
      const seq = this.running[i]!
      if (seq.length - seq.computed !== 1 || seq.program !== plan.program) continue
      if (seq.state !== 'running' || seq.lastStep === plan.step) continue
      if (budget.rowsFor(seq, 1) === 0 || policy.skips(seq, outlook, time)) continue
      const pages = this.capacity.missing(seq, 1)
      if (pages > 0 && (starved || !this.room.makeRoom(this.running, i, pages, this.draining.size > 0, plan))) {
        starved = true
        continue
      }
      outlook.stream(seq, time)
      this.schedule(seq, 1, plan)
    }
    return !starved && plan.preempted.length === before
  }

  private computePrompts(plan: StepPlan<S>, room: boolean): void {
    const budget = this.budget(plan, this.policy.stepMs(this.outlook))
    const time = this.time(plan.program)
    let next = 0
    let full = !room // nobody else can start
    while (plan.tokens < this.limits.maxTokens) {
      const begun = this.prompts[next]
      const waiting: S | undefined = full ? undefined : this.admission.candidate(plan, this.outlook, time)
      if (waiting && (!begun || this.policy.overtakes(waiting, begun))) full = !this.start(waiting, budget)
      else if (begun) {
        next++
        if (begun.state !== 'running') continue // it gave way to a stream
        const count = budget.chunk(begun)
        if (count > 0) this.schedule(begun, count, plan)
      } else return
    }
  }

  private start(seq: S, budget: Budget<S>): boolean {
    const count = this.admission.start(seq, budget, this.running)
    if (!count) return count === 0
    this.enter(seq)
    this.schedule(seq, count, budget.plan)
    return true
  }

  private budget(plan: StepPlan<S>, ms: number): Budget<S> {
    const others = this.running.length + this.policy.size > 1
    return new Budget(plan, this.limits, this.time(plan.program), ms, others)
  }

  // Its place among the running: before whom it outranks, behind everybody else.
  private enter(seq: S): void {
    let place = this.running.length
    while (place > 0 && this.policy.outranks(seq, this.running[place - 1]!)) place--
    this.running.splice(place, 0, seq)
    seq.state = 'running'
  }

  private schedule(seq: S, count: number, plan: StepPlan<S>): void {
    const start = seq.computed
    const end = start + count
    this.capacity.reserve(seq, start, end, plan.copies)
    this.policy.serves(seq, count)
    plan.add(seq, start, count)
    seq.computed = end
    seq.lastStep = plan.step
    seq.lastRun = this.outlook.now

    if (end < seq.length) return
    if (seq.work === 'generate') {
      this.sample(seq, plan)
      if (seq.forks.length > 0) this.fork(seq, plan)
    } else this.drain(seq)
  }

  private sample(seq: S, plan: StepPlan<S>): void {
    plan.sample(seq)
    if (++seq.length >= seq.limit) this.drain(seq)
  }

  // The prompt is computed: its other answers draw their first tokens from the same logits and go on by themselves.
  private fork(seq: S, plan: StepPlan<S>): void {
    const place = this.running.indexOf(seq) + 1
    for (const fork of seq.forks) {
      fork.blocks = seq.blocks.fork(this.capacity.blocks, seq.computed)
      fork.computed = seq.computed
      fork.lastStep = plan.step
      fork.state = 'running'
      this.sample(fork, plan)
    }
    this.running.splice(place, 0, ...seq.forks)
    seq.forks = []
  }

  // Its last token is planned: it leaves the running, and holds its memory until the result is back.
  private drain(seq: S): void {
    seq.state = 'draining'
    this.draining.add(seq)
    this.swept = false
  }

  private programs(): readonly number[] {
    const wanted = new Set<number>()
    for (const seq of this.running) wanted.add(seq.program)
    const next = this.policy.next(this.outlook.now)
    if (next) wanted.add(next.program)
    for (const seq of this.room.parked) wanted.add(seq.program)
    return this.turns.order(wanted)
  }
}

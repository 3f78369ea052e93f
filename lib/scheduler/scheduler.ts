// Which tokens run in the next step. A sequence has `length` tokens of which `computed` are in the cache; scheduling
// closes that gap, so that prefill, chunked prefill, decode and recompute are one case.
//
// Running sequences come first, oldest first; then the waiting are admitted in order of arrival. When pages run out,
// the newest running sequence gives up its own and is computed again later (recompute, as in vLLM). The oldest can
// always take from all others and never waits for anything but steps in flight, so somebody makes progress.
import type { BlockAllocator } from '../cache/block-allocator.ts'
import { Capacity } from './capacity.ts'
import type { Limits } from './limits.ts'
import { StepPlan } from './plan.ts'
import type { PrefixCache } from './prefix-cache.ts'
import type { Scheduled } from './scheduled.ts'

export class Scheduler<S extends Scheduled = Scheduled> {
  running: S[] = []
  readonly waiting: S[] = []
  readonly capacity: Capacity
  private readonly draining = new Set<S>()
  private step = 0
  private turn = 0 // the program that runs next, or the first after it that has work
  private swept = true // no sequence that is over is left in `running`

  constructor(
    blocks: BlockAllocator,
    readonly limits: Limits,
    /** Without one, nothing is shared between requests. */
    prefixes?: PrefixCache,
  ) {
    this.capacity = new Capacity(blocks, limits, prefixes)
  }

  /** Puts a sequence at the end of the line. Throws KV_TOO_LONG when it can never run. */
  add(seq: S): void {
    this.capacity.checkFits(seq)
    this.waiting.push(seq)
  }

  /** The next step with its memory reserved; undefined when nothing can run before a step in flight has ended. */
  plan(): StepPlan<S> | undefined {
    if (!this.swept) this.sweep()
    for (const program of this.programs()) {
      const plan = this.planProgram(program)
      if (plan.chunks.length === 0) continue
      this.step = plan.step
      this.turn = program + 1
      return plan
    }
    return undefined
  }

  /** The step has run: what waited for it is free, and the prompts that it completed are there for others. */
  complete(plan: StepPlan<S>): void {
    for (const { seq, start, count } of plan.chunks)
      if (start < seq.promptLength && start + count >= seq.promptLength) this.capacity.publish(seq, plan.step)
    this.capacity.complete(plan.step)
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
    if (seq.state === 'waiting') {
      const place = this.waiting.indexOf(seq)
      if (place >= 0) this.waiting.splice(place, 1)
    }
    if (seq.state === 'running') this.swept = false
    this.draining.delete(seq)
    seq.state = 'done'
    this.capacity.release(seq, false)
  }

  /** Throws when a page or a slot is lost or held twice. */
  check(): void {
    const live = [...this.running.filter((seq) => seq.state === 'running'), ...this.draining, ...this.waiting]
    this.capacity.check(live.flatMap((seq) => [seq, ...seq.forks]).filter((seq) => seq.state !== 'done'))
  }

  private planProgram(program: number): StepPlan<S> {
    const plan = new StepPlan<S>(this.step + 1, program)
    if (this.continueRunning(plan) && plan.preempted.length === 0) this.admit(plan)
    return plan
  }

  // False when a sequence found no memory: then nobody newer may take any.
  private continueRunning(plan: StepPlan<S>): boolean {
    let starved = false
    for (let i = 0; i < this.running.length && plan.tokens < this.limits.maxTokens; i++) {
      const seq = this.running[i]!
      if (seq.program !== plan.program || seq.state !== 'running' || seq.lastStep === plan.step) continue
      const count = this.chunk(seq, plan)
      if (count === 0) continue
      const pages = this.capacity.missing(seq, count)
      if (pages > 0 && (starved || !this.makeRoom(i, pages, plan))) starved = true
      else this.schedule(seq, count, plan)
    }
    return !starved
  }

  private admit(plan: StepPlan<S>): void {
    while (plan.tokens < this.limits.maxTokens) {
      const seq = this.waiting[0]
      // A pre-empted sequence is computed again from its ids, so the last one must have come back.
      if (!seq || seq.program !== plan.program || seq.known < seq.length || !this.capacity.admit(seq)) return
      const count = this.chunk(seq, plan)
      if (count === 0) {
        this.capacity.withdraw(seq)
        return
      }
      this.capacity.prefixes?.count(seq)
      this.waiting.shift()
      this.running.push(seq)
      seq.state = 'running'
      seq.firstStep = plan.step
      if (seq.slot < 0)
        for (const one of [seq, ...seq.forks]) {
          this.capacity.takeSlot(one)
          plan.opened.push(one)
        }
      this.schedule(seq, count, plan)
    }
  }

  // Tokens of `seq` that the rest of the step's budget of tokens and rows allows.
  private chunk(seq: S, plan: StepPlan<S>): number {
    const gap = seq.length - seq.computed
    const rows = this.limits.maxRows - plan.rows.length
    const count = Math.min(gap, this.limits.maxTokens - plan.tokens)
    if (seq.work === 'embed') return count
    // Half of the rows left, unless it is alone: a long text must not keep newer answers waiting for one.
    if (seq.work === 'score')
      return Math.min(count, this.running.length + this.waiting.length > 1 ? Math.ceil(rows / 2) : rows)
    return count === gap && rows < 1 + seq.forks.length ? count - 1 : count
  }

  // Pre-empts from the newest end until `pages` are free for running[i], or will be when the steps in flight have run.
  private makeRoom(i: number, pages: number, plan: StepPlan<S>): boolean {
    while (this.capacity.blocks.free < pages) {
      if (this.draining.size > 0 || this.capacity.awaits(pages) || i === this.running.length - 1) return false
      this.preempt(this.running.pop()!, plan)
    }
    return true
  }

  private preempt(seq: S, plan: StepPlan<S>): void {
    if (seq.state !== 'running') return
    this.capacity.release(seq, true)
    seq.computed = 0
    seq.state = 'waiting'
    this.waiting.unshift(seq)
    plan.preempted.push(seq)
  }

  private schedule(seq: S, count: number, plan: StepPlan<S>): void {
    const start = seq.computed
    const end = start + count
    seq.blocks.reserve(this.capacity.blocks, start, end, plan.copies)
    plan.chunks.push({ seq, start, count })
    if (seq.work === 'score')
      for (let i = 0; i < count; i++) plan.rows.push({ seq, index: plan.tokens + i, position: start + i, scored: true })
    plan.tokens += count
    plan.blocks += seq.blocks.count
    seq.computed = end
    seq.lastStep = plan.step

    if (end < seq.length) return
    if (seq.work === 'generate') {
      this.sample(seq, plan)
      if (seq.forks.length > 0) this.fork(seq, plan)
    } else this.drain(seq)
  }

  private sample(seq: S, plan: StepPlan<S>): void {
    plan.rows.push({ seq, index: plan.tokens - 1, position: seq.computed - 1, scored: false })
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

  // Programs that somebody wants, the one whose turn it is first.
  private programs(): number[] {
    const wanted = new Set<number>()
    for (const seq of this.running) wanted.add(seq.program)
    if (this.waiting[0]) wanted.add(this.waiting[0].program)
    if (wanted.size < 2) return [...wanted]
    const programs = [...wanted].sort((a, b) => a - b)
    const split = Math.max(
      0,
      programs.findIndex((program) => program >= this.turn),
    )
    return [...programs.slice(split), ...programs.slice(0, split)]
  }

  private sweep(): void {
    this.running = this.running.filter((seq) => seq.state === 'running')
    this.swept = true
  }
}

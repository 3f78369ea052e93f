// When pages are copied, when they are computed again, and that copies hold up no stream for long: the real scheduler under
// a clock that the test moves.
import { describe, expect, it } from 'vitest'
import { BlockAllocator } from '../../lib/cache/block-allocator.ts'
import { CopyTime } from '../../lib/scheduler/copy-time.ts'
import { PrefixCache } from '../../lib/scheduler/prefix-cache.ts'
import { Scheduled } from '../../lib/scheduler/scheduled.ts'
import { Scheduler } from '../../lib/scheduler/scheduler.ts'
import { StepTime } from '../../lib/scheduler/step-time.ts'
import { Swap, type SwapJob } from '../../lib/scheduler/swap.ts'
import { random } from '../support/random.ts'

const TOKEN_MS = 0.5

class Text extends Scheduled {
  constructor(
    readonly first: number,
    prompt: number,
    most: number,
  ) {
    super({ work: 'generate', program: 0, length: prompt, limit: prompt + most, salt: '' })
  }

  override copyTokens(start: number, end: number, words: Int32Array, at: number): number {
    for (let p = start; p < end; p++) words[at++] = this.first + p
    return at
  }
}

/** Copies of a page take `pageMs`, steps half a millisecond a token. */
function setup({ pages = 16, places = 64, pageMs = 0.1, guessMs = 0.1 } = {}) {
  const blocks = new BlockAllocator(pages)
  const swap = new Swap({ pages: places, guessMs })
  const prefixes = new PrefixCache(blocks, swap)
  const limits = { maxTokens: 256, maxSequences: 8, maxRows: 8, context: 4000 }
  const scheduler = new Scheduler<Text>(blocks, limits, { prefixes, clock: () => 0 })
  const jobs: SwapJob<Text>[] = []
  let computed = 0
  const step = () => {
    const plan = scheduler.plan()
    for (const job of swap.take<Text>()) {
      jobs.push(job)
      scheduler.loading!.done(job, (pageMs * job.copies.length) / 2)
    }
    if (!plan) return undefined
    computed += plan.tokens
    scheduler.complete(plan, 1 + TOKEN_MS * plan.tokens + 0.01 * plan.chunks.length)
    for (const { seq } of plan.rows) if (++seq.known === seq.limit) scheduler.finish(seq)
    scheduler.check()
    return plan
  }
  const run = (seqs: Text[]) => {
    for (const seq of seqs) scheduler.add(seq)
    for (let i = 0; i < 5000 && seqs.some(({ state }) => state !== 'done'); i++) step()
    expect(seqs.every(({ state }) => state === 'done')).toBe(true)
    return computed
  }
  run([new Text(1e6, 100, 30)]) // the model of time has to know something
  computed = 0
  return { blocks, swap, scheduler, jobs, step, run, computed: () => computed }
}

/** Three texts that fit one by one, and two of them at first. */
const crowd = () => [0, 1, 2].map((i) => new Text(1e4 * i, 150, 100))
const needed = 3 * (150 + 99)

describe('a sequence that gave way', () => {
  it('goes on with copies, and nothing is computed twice', () => {
    const { run, swap, scheduler, blocks } = setup()
    expect(run(crowd())).toBeLessThanOrEqual(needed + 3) // a step under way at the end
    expect(scheduler.room.preemptions).toBeGreaterThan(0)
    expect(swap.stats()).toMatchObject({ failed: false })
    expect(swap.stats().inPages).toBeGreaterThan(0)
    expect(blocks.free).toBe(16)
  })

  it('is computed again where copies are slower', () => {
    const { run, swap, scheduler } = setup({ pageMs: 0.6 * 32 * TOKEN_MS, guessMs: 0.6 * 32 * TOKEN_MS }) // out and in: 1.2 times as long
    expect(run(crowd())).toBeGreaterThan(needed + 32)
    expect(scheduler.room.preemptions).toBeGreaterThan(0)
    expect(swap.stats()).toMatchObject({ outPages: 0, inPages: 0 })
  })

  it('is copied no more once copies turn out slower than they were thought to be', () => {
    const { run, swap } = setup({ pageMs: 40 })
    run(crowd())
    const { outPages, inPages } = swap.stats()
    expect(outPages).toBeGreaterThan(0)
    expect(outPages).toBeLessThan(8) // those that were asked for before the first was timed
    expect(inPages).toBe(0)
  })

  it('is copied as far as there is room, and computed beyond it', () => {
    const { run, swap } = setup({ places: 2 })
    const tokens = run(crowd())
    expect(tokens).toBeGreaterThan(needed)
    expect(swap.stats().heldPages).toBeLessThanOrEqual(2)
    expect(swap.stats().inPages).toBeGreaterThan(0)
  })

  it('leaves nothing outside that anybody has to wait for', () => {
    const { run, swap, jobs } = setup({ places: 12 })
    for (let i = 0; i < 4; i++) run(crowd().map(({ first }) => new Text(first + 1e5 * i, 150, 100)))
    expect(swap.places.free).toBe(12)
    expect(jobs.every(({ loaded }) => loaded.length < 4)).toBe(true)
  })

  it('is computed again after a copy failed, and from then on', () => {
    const { step, swap, scheduler, run } = setup()
    const seqs = crowd()
    for (const seq of seqs) scheduler.add(seq)
    while (swap.stats().outPages === 0) step()
    scheduler.loading!.failed()
    scheduler.check()
    expect(swap.stats()).toMatchObject({ failed: true, heldPages: 0 })
    const before = swap.stats().outPages
    run([])
    for (let i = 0; i < 1000 && seqs.some(({ state }) => state !== 'done'); i++) step()
    expect(seqs.map(({ known }) => known)).toEqual([250, 250, 250])
    expect(swap.stats()).toMatchObject({ outPages: before, inPages: 0 })
  })
})

it('copies of a long text come a few at a time beside a stream', () => {
  const { step, scheduler, jobs, swap } = setup({ pages: 64, places: 64, pageMs: 2 })
  const long = new Text(0, 1000, 100)
  scheduler.add(long)
  for (let i = 0; i < 8; i++) step()
  scheduler.capacity.blocks.resize(40)
  // Two streams that grow until the long text has to go, all of it.
  const streams = [1, 2].map((i) => new Text(1e5 * i, 30, 560))
  scheduler.running = scheduler.running.filter((seq) => seq !== long)
  scheduler.room.backInLine(long)
  scheduler.policy.remove(long)
  for (const seq of streams) scheduler.add(seq)
  while (streams.some(({ length }) => length < 500)) step()
  expect(swap.stats().outPages).toBeGreaterThan(20)
  scheduler.finish(streams[1]!)
  scheduler.capacity.blocks.resize(64)
  jobs.length = 0
  scheduler.policy.putBack(long)
  while (long.state !== 'running') expect(step()).toBeDefined() // the stream goes on meanwhile
  const sizes = jobs.filter(({ out }) => !out).map(({ copies }) => copies.length / 2)
  expect(sizes.reduce((sum, count) => sum + count)).toBeGreaterThan(20)
  expect(Math.max(...sizes)).toBeLessThan(4) // half a step, or one
})

describe('the model of time', () => {
  it('never lets pages out that take longer out and in than their tokens', () => {
    const { below, next } = random(3)
    for (let round = 0; round < 200; round++) {
      const time = new StepTime()
      const [token, pair] = [next(), next() * 1e-3]
      const swap = new Swap({ pages: 10, guessMs: 0.01 + 40 * next() })
      expect(swap.worthOut(time, 0)).toBe(false) // it knows nothing yet
      for (let i = 0; i < 60; i++) {
        const work = { tokens: 1 + below(300), sequences: 1 + below(9), attention: below(1e5), rows: 1 + below(8) }
        time.observe(work, 2 + token * work.tokens + pair * work.attention)
      }
      const [outMs, inMs] = [0.01 + 20 * next(), 0.01 + 20 * next()]
      for (let i = 0; i < 60; i++) {
        swap.done({ out: true, copies: [0, 10] }, outMs)
        swap.done({ out: false, copies: [10, 0] }, inMs)
      }
      const start = 32 * below(200)
      const computing = time.tokens(start, 32)
      expect(computing).toBeCloseTo(32 * token + pair * (32 * start + 528), 0)
      expect(swap.worthOut(time, start)).toBe(outMs + inMs <= computing)
    }
  })

  it('learns what a copy takes, and follows it when it changes', () => {
    const time = new CopyTime(5)
    expect(time.each).toBe(5)
    time.observe(10, 20)
    expect(time.each).toBe(2)
    time.observe(1, 1000) // the host took the core away
    expect(time.each).toBeLessThan(3)
    for (let i = 0; i < 100; i++) time.observe(10, 80)
    expect(time.each).toBeCloseTo(8, 1)
    for (let i = 0; i < 200; i++) time.doubt()
    expect(time.each).toBeLessThan(2) // it is tried again some day
  })
})

// Who goes first: the policies on the real scheduler, under a clock that the test moves.
import { describe, expect, it } from 'vitest'
import { BlockAllocator } from '../../lib/cache/block-allocator.ts'
import type { StepPlan } from '../../lib/scheduler/plan.ts'
import { Fcfs } from '../../lib/scheduler/policies/fcfs.ts'
import { Qos } from '../../lib/scheduler/policies/qos.ts'
import { SgLang } from '../../lib/scheduler/policies/sglang.ts'
import { Vllm } from '../../lib/scheduler/policies/vllm.ts'
import type { Policy } from '../../lib/scheduler/policy.ts'
import { Scheduled } from '../../lib/scheduler/scheduled.ts'
import { Scheduler } from '../../lib/scheduler/scheduler.ts'
import type { Service } from '../../lib/scheduler/service.ts'
import type { StepWork } from '../../lib/scheduler/step-time.ts'

class Named extends Scheduled {
  constructor(
    readonly id: string,
    prompt: number,
    service: Service = {},
    readonly output = 400,
  ) {
    super({ work: 'generate', program: 0, length: prompt, limit: prompt + output, service })
  }
}

const time = ({ tokens, sequences, attention, rows }: StepWork) =>
  5 + 0.2 * tokens + 0.1 * sequences + 1e-5 * attention + 0.05 * rows

/** A scheduler whose steps take time(); run() goes on until a condition holds. */
function setup(policy: Policy<Named>, { pages = 512, maxTokens = 512, maxSequences = 64, slow = 1 } = {}) {
  let now = 0
  const scheduler = new Scheduler<Named>(
    new BlockAllocator(pages),
    { maxTokens, maxSequences, maxRows: maxSequences, context: 16_000 },
    { policy, clock: () => now },
  )
  const tokens = new Map<string, number[]>() // when each came
  const step = (): StepPlan<Named> | undefined => {
    const plan = scheduler.plan()
    if (!plan) return undefined
    const ms = slow * time(plan.work())
    now += ms
    scheduler.complete(plan, ms)
    for (const { seq } of plan.rows) {
      seq.known++
      tokens.set(seq.id, [...(tokens.get(seq.id) ?? []), now])
      if (tokens.get(seq.id)!.length === seq.output) scheduler.finish(seq)
    }
    scheduler.check()
    return plan
  }
  const run = (until: () => boolean) => {
    for (let i = 0; i < 20_000 && !until(); i++) if (!step()) break
    expect(until()).toBe(true)
  }
  const add = (...seqs: Named[]) => {
    for (const seq of seqs) scheduler.add(seq)
    return seqs
  }
  const order = () => [...tokens].sort(([, a], [, b]) => a[0]! - b[0]!).map(([id]) => id)
  const slowDown = (factor: number) => (slow = factor)
  return { scheduler, tokens, step, run, add, order, slowDown, wait: (ms: number) => (now += ms), now: () => now }
}

/** The model of time has seen prompts and streams. */
function warm(world: ReturnType<typeof setup>) {
  const seqs = world.add(...[30, 100, 300, 7].map((n, i) => new Named(`warm${i}`, n, {}, 12)))
  world.run(() => seqs.every(({ state }) => state === 'done'))
  world.tokens.clear()
  return world
}

const gaps = (times: number[]) => times.slice(1).map((t, i) => t - times[i]!)
const median = (list: number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!

describe.each([
  ['fcfs', () => new Fcfs<Named>()],
  ['qos', () => new Qos<Named>()],
] as const)('%s', (_, policy) => {
  it('a prompt of 6,000 tokens among 32 streams: no gap above 3 times the median', () => {
    const world = warm(setup(policy(), { pages: 2048 }))
    const streams = world.add(...Array.from({ length: 32 }, (_, i) => new Named(`s${i}`, 20 + i)))
    world.run(() => streams.every(({ id }) => (world.tokens.get(id)?.length ?? 0) > 20))
    const [long] = world.add(new Named('long', 6000))
    world.run(() => streams.every(({ state }) => state === 'done') && world.tokens.has('long'))
    for (const { id } of streams) {
      const list = gaps(world.tokens.get(id)!).slice(20)
      expect(Math.max(...list) / median(list)).toBeLessThanOrEqual(3)
    }
    expect(long!.computed).toBeGreaterThanOrEqual(6000)
  })
})

it('qos keeps the length of gaps when the machine becomes slower under a long prompt', () => {
  const world = warm(setup(new Qos<Named>(), { pages: 2048 }))
  const streams = world.add(...Array.from({ length: 32 }, (_, i) => new Named(`s${i}`, 20 + i)))
  world.run(() => streams.every(({ id }) => (world.tokens.get(id)?.length ?? 0) > 20))
  const [long] = world.add(new Named('long', 6000))
  world.run(() => long!.computed > 1000)
  const before = gaps(world.tokens.get('s0')!).slice(-10)
  world.slowDown(1.6)
  const from = world.tokens.get('s0')!.length + 5
  world.run(() => world.tokens.get('s0')!.length === from + 20)
  expect(median(gaps(world.tokens.get('s0')!).slice(from)) / median(before)).toBeLessThan(1.2)
  expect(long!.computed).toBeLessThan(6000)
})

// An emulated card: a step takes longer than any stream should wait for its next token.
it('qos starts on an idle device, however slow', () => {
  const { add, run } = warm(setup(new Qos<Named>(), { slow: 200 }))
  const [late] = add(new Named('late', 5, {}, 3))
  run(() => late!.state === 'done')
})

it('vllm lets the same prompt stall the streams', () => {
  const world = warm(setup(new Vllm<Named>(), { pages: 2048 }))
  const streams = world.add(...Array.from({ length: 32 }, (_, i) => new Named(`s${i}`, 20 + i)))
  world.run(() => streams.every(({ id }) => (world.tokens.get(id)?.length ?? 0) > 20))
  world.add(new Named('long', 6000))
  world.run(() => streams.every(({ state }) => state === 'done'))
  const list = gaps(world.tokens.get('s0')!).slice(20)
  expect(Math.max(...list) / median(list)).toBeGreaterThan(5)
})

describe('qos', () => {
  it('starts the higher class first, and none of them never', () => {
    const world = warm(setup(new Qos<Named>(), { maxSequences: 1 }))
    const of = (priority: Service['priority'], n: number) =>
      Array.from({ length: n }, (_, i) => new Named(`${priority![0]}${i}`, 50, { priority }, 3))
    world.add(...of('batch', 2), ...of('standard', 2), ...of('interactive', 30))
    world.run(() => world.tokens.size === 34 && world.scheduler.running.length === 0)
    const order = world.order()
    expect(order.slice(0, 5)).toEqual(['i0', 'i1', 'i2', 'i3', 'i4'])
    // Claims: a tenth of the tokens for standard, a twentieth for batch.
    const place = (id: string) => order.indexOf(id)
    expect(place('s0')).toBeLessThan(15)
    expect(place('b0')).toBeLessThan(30)
  })

  it('gives the slot of a lower class away, at most three times, and the answer is whole', () => {
    const world = warm(setup(new Qos<Named>(), { maxSequences: 1 }))
    const [batch] = world.add(new Named('batch', 100, { priority: 'batch' }, 60))
    for (let i = 0; i < 6; i++) {
      world.run(() => batch!.state === 'running')
      world.step()
      const [hasty] = world.add(new Named(`i${i}`, 10, { priority: 'interactive' }, 5))
      world.run(() => hasty!.state === 'done' || (i >= 3 && batch!.preemptions === 3))
      if (i < 3) expect(batch!.preemptions).toBe(i + 1)
    }
    world.run(() => batch!.state === 'done')
    expect(batch!.preemptions).toBe(3)
    expect(world.tokens.get('batch')).toHaveLength(60)
  })

  it('gives pages away in the same way', () => {
    const world = warm(setup(new Qos<Named>(), { pages: 16 }))
    const [batch] = world.add(new Named('batch', 400, { priority: 'batch' }, 60))
    world.step()
    const [hasty] = world.add(new Named('hasty', 300, { priority: 'interactive' }, 5))
    world.run(() => hasty!.state === 'done')
    expect([batch!.preemptions, batch!.state]).toEqual([1, 'waiting'])
    world.run(() => batch!.state === 'done')
  })

  it('takes nothing from anybody when it would not be enough', () => {
    const world = warm(setup(new Qos<Named>(), { pages: 16 }))
    const [mine] = world.add(new Named('mine', 300, { priority: 'interactive' }, 5))
    const [batch] = world.add(new Named('batch', 100, { priority: 'batch' }, 30))
    world.step()
    world.add(new Named('large', 450, { priority: 'interactive' }, 5))
    for (let i = 0; i < 3; i++) world.step()
    expect(batch!.preemptions).toBe(0)
    world.run(() => mine!.state === 'done' && world.tokens.has('large'))
  })

  it('shares between tenants by tokens, not by requests', () => {
    const world = warm(setup(new Qos<Named>(), { maxSequences: 1 }))
    const of = (tenant: string, n: number, length: number) =>
      Array.from({ length: n }, (_, i) => new Named(`${tenant}${i}`, length, { tenant }, 1))
    world.add(...of('greedy', 40, 200), ...of('modest', 10, 200))
    world.run(() => [...Array(10).keys()].every((i) => world.tokens.has(`modest${i}`)))
    expect(
      world
        .order()
        .slice(0, 21)
        .filter((id) => id.startsWith('modest')).length,
    ).toBeGreaterThanOrEqual(9)
  })

  it('of one tenant starts what is due soonest', () => {
    const world = warm(setup(new Qos<Named>(), { maxSequences: 1 }))
    world.add(
      new Named('calm', 10, {}, 2),
      new Named('late', 10, { ttftMs: 900 }, 2),
      new Named('soon', 10, { ttftMs: 300 }, 2),
    )
    world.run(() => world.tokens.size === 3)
    expect(world.order()).toEqual(['soon', 'late', 'calm'])
  })

  it('refuses a deadline that cannot be met, with the numbers', () => {
    const world = warm(setup(new Qos<Named>()))
    expect(() => world.add(new Named('a', 5000, { deadlineMs: 100 }))).toThrow(
      expect.objectContaining({
        code: 'KV_DEADLINE',
        message: expect.stringMatching(/in 100 ms, but the prompt of 5000 tokens takes at least 1\d\d\d ms/),
      }),
    )
    world.add(new Named('b', 100, { deadlineMs: 100 }))
  })

  it('gives up on what has waited past its deadline', () => {
    const world = warm(setup(new Qos<Named>(), { maxSequences: 1 }))
    world.add(new Named('first', 10, {}, 50))
    world.step()
    const [second] = world.add(new Named('second', 10, { deadlineMs: 200 }, 50))
    world.run(() => world.scheduler.expired.length > 0)
    expect(world.scheduler.expired).toEqual([second])
    expect(world.tokens.has('second')).toBe(false)
  })

  it('lets streams that can wait skip a step in which hasty ones would be late', () => {
    const world = warm(setup(new Qos<Named>(), { pages: 2048 }))
    const batch = world.add(
      ...Array.from({ length: 60 }, (_, i) => new Named(`b${i}`, 30, { priority: 'batch', tpotMs: 400 })),
    )
    world.run(() => batch.every(({ id }) => world.tokens.has(id)))
    const [hasty] = world.add(new Named('hasty', 10, { priority: 'interactive', tpotMs: 15 }, 40))
    world.run(() => hasty!.state === 'done')
    expect(median(gaps(world.tokens.get('hasty')!))).toBeLessThanOrEqual(15)
    world.run(() => batch.every(({ state }) => state === 'done'))
    for (const { id } of batch) expect(Math.max(...gaps(world.tokens.get(id)!))).toBeLessThan(450)
  })
})

it('sglang never mixes prompts and streams, and retracts who generated least', () => {
  const world = setup(new SgLang<Named>(), { pages: 8 })
  world.add(new Named('a', 40, {}, 60), new Named('b', 40, {}, 60))
  const first = world.step()!
  world.add(new Named('c', 40, {}, 60))
  const plans = [first, ...Array.from({ length: 60 }, () => world.step()!)]
  for (const { chunks } of plans) expect(new Set(chunks.map(({ count }) => count > 1)).size).toBe(1)
  world.run(() => world.scheduler.running.length === 0 && world.scheduler.policy.size === 0)
  for (const id of 'abc') expect(world.tokens.get(id)).toHaveLength(60)
})

import { describe, expect, it } from 'vitest'
import { BlockAllocator } from '../../lib/cache/block-allocator.ts'
import type { StepPlan } from '../../lib/scheduler/plan.ts'
import { Scheduled, type ScheduledOptions, type Work } from '../../lib/scheduler/scheduled.ts'
import { Scheduler } from '../../lib/scheduler/scheduler.ts'

class Named extends Scheduled {
  constructor(
    readonly id: string,
    prompt: number,
    maxTokens: number,
    work: Work = 'generate',
    program = 0,
    options: Partial<ScheduledOptions> = {},
  ) {
    const limit = work === 'generate' ? prompt + maxTokens : prompt
    super({ work, program, length: prompt, limit, ...options })
  }
}

const LIMITS = { maxTokens: 64, maxSequences: 4, maxRows: 8, context: 1000 }

/** setup({ a: 3 }) is a scheduler with one prompt of 3 tokens waiting. */
function setup(
  prompts: Record<string, number>,
  { pages = 16, maxTokens = 400, ...limits }: { pages?: number; maxTokens?: number } & Partial<typeof LIMITS> = {},
) {
  const blocks = new BlockAllocator(pages)
  const scheduler = new Scheduler<Named>(blocks, { ...LIMITS, ...limits })
  const seqs: Record<string, Named> = {}
  for (const [id, length] of Object.entries(prompts)) {
    seqs[id] = new Named(id, length, Math.min(maxTokens, pages * 32 - length))
    scheduler.add(seqs[id])
  }
  return { blocks, scheduler, seqs }
}

/** What the engine does when a step has come back. */
function complete(scheduler: Scheduler<Named>, plan: StepPlan<Named>) {
  scheduler.complete(plan)
  for (const { seq } of plan.rows) seq.known++
  scheduler.check()
}

const show = (plan: StepPlan<Named> | undefined) =>
  plan?.chunks.map(({ seq, start, count }) => `${seq.id}[${start}+${count}]`).join(' ')

/** Plans one step and runs it. */
function step(scheduler: Scheduler<Named>) {
  const plan = scheduler.plan()
  if (plan) complete(scheduler, plan)
  return show(plan)
}

describe('Scheduler.plan', () => {
  it('mixes decodes with the rest of a split prompt', () => {
    const { scheduler } = setup({ a: 3, b: 90 })
    expect(step(scheduler)).toBe('a[0+3] b[0+61]')
    expect(step(scheduler)).toBe('a[3+1] b[61+29]')
    expect(step(scheduler)).toBe('a[4+1] b[90+1]')
  })

  it('samples where a gap closes, and nowhere else', () => {
    const { scheduler } = setup({ a: 3, b: 90 })
    const rows = (plan?: StepPlan<Named>) =>
      plan?.rows.map(({ seq, index, position }) => `${seq.id}@${index}=${position}`)
    expect(rows(scheduler.plan())).toEqual(['a@2=2'])
    expect(rows(scheduler.plan())).toEqual(['a@0=3', 'b@29=89'])
  })

  it('plans the next step before the last has come back', () => {
    const { scheduler } = setup({ a: 3 })
    expect([scheduler.plan(), scheduler.plan(), scheduler.plan()].map(show)).toEqual(['a[0+3]', 'a[3+1]', 'a[4+1]'])
  })

  it('stops at maxTokens without waiting for a result', () => {
    const { scheduler } = setup({ a: 3 }, { maxTokens: 2 })
    expect([scheduler.plan(), scheduler.plan(), scheduler.plan()].map(show)).toEqual(['a[0+3]', 'a[3+1]', undefined])
  })

  it('admits in order of arrival, as many as there are slots', () => {
    const { scheduler, seqs } = setup({ a: 1, b: 1, c: 1 }, { maxSequences: 2 })
    expect(step(scheduler)).toBe('a[0+1] b[0+1]')
    expect(step(scheduler)).toBe('a[1+1] b[1+1]')
    scheduler.finish(seqs['a']!)
    expect(step(scheduler)).toBe('b[2+1] c[0+1]')
  })

  it('never samples more rows than a step has', () => {
    const { scheduler } = setup({ a: 1, b: 1, c: 5 }, { maxRows: 2 })
    expect(step(scheduler)).toBe('a[0+1] b[0+1] c[0+4]')
    expect(step(scheduler)).toBe('a[1+1] b[1+1]')
  })

  it('refuses what can never fit, with the numbers', () => {
    const { scheduler } = setup({}, { pages: 4 })
    const tooLong = (message: RegExp) =>
      expect.objectContaining({ code: 'KV_TOO_LONG', message: expect.stringMatching(message) })
    expect(() => scheduler.add(new Named('a', 900, 101))).toThrow(
      tooLong(/prompt \(900\) and maxTokens \(101\) need 1001 tokens, but the context is 1000/),
    )
    expect(() => scheduler.add(new Named('a', 100, 30))).toThrow(tooLong(/the KV cache has 4 pages of 32 tokens/))
    expect(() => scheduler.add(new Named('a', 130, 0, 'embed'))).toThrow(tooLong(/the text has 130 tokens/))
    scheduler.add(new Named('a', 100, 29)) // the last token is sampled, never computed
  })
})

describe('under memory pressure', () => {
  it('takes pages from the newest sequence, and puts it first in line', () => {
    const { scheduler, seqs } = setup({ a: 32, b: 32, c: 1 }, { pages: 2, maxTokens: 20, maxSequences: 2 })
    expect(step(scheduler)).toBe('a[0+32] b[0+32]')
    const plan = scheduler.plan()!
    expect(show(plan)).toBe('a[32+1]')
    expect(plan.preempted.map((seq) => seq.id)).toEqual(['b'])
    expect([...scheduler.policy.waiting()].map((seq) => seq.id)).toEqual(['b', 'c'])
    expect(seqs['b']).toMatchObject({ computed: 0, length: 33, state: 'waiting' })
  })

  it('keeps the slot of a pre-empted sequence with penalties: the device counts its output there', () => {
    for (const settled of [true, false]) {
      const { scheduler } = setup({}, { pages: 2 })
      const [a, b] = ['a', 'b'].map((id) => new Named(id, 32, 20, 'generate', 0, { settled })) as [Named, Named]
      scheduler.add(a)
      scheduler.add(b)
      step(scheduler)
      const { slot } = b
      step(scheduler)
      expect([b.state, b.slot]).toEqual(['waiting', settled ? slot : -1])
      scheduler.finish(a)
      const plan = scheduler.plan()!
      expect(show(plan)).toBe('b[0+33]')
      expect(plan.opened).toEqual(settled ? [] : [b])
    }
  })

  it('waits for pages that a step in flight will free, rather than pre-empt', () => {
    const { scheduler, seqs } = setup({ a: 32, b: 1, c: 1 }, { pages: 3, maxTokens: 20 })
    const first = scheduler.plan()!
    scheduler.finish(seqs['b']!)
    expect(show(scheduler.plan())).toBe('c[1+1]')
    complete(scheduler, first)
    expect(show(scheduler.plan())).toBe('a[32+1] c[2+1]')
    expect(seqs['c']!.state).toBe('running')
  })

  it('computes a pre-empted sequence again only when all of its ids are known', () => {
    const { scheduler, seqs } = setup({ a: 32, b: 32 }, { pages: 2, maxTokens: 20 })
    const first = scheduler.plan()!
    scheduler.plan()
    expect(seqs['b']!.state).toBe('waiting')
    scheduler.finish(seqs['a']!)
    scheduler.complete(first) // … but the id that b sampled in it has not been handed out
    expect(scheduler.plan()).toBeUndefined()
    seqs['b']!.known++
    expect(show(scheduler.plan())).toBe('b[0+33]')
  })
})

describe('fences', () => {
  it('frees pages and slot of a sequence that is over when the last step with it has run', () => {
    const { scheduler, blocks, seqs } = setup({ a: 40, b: 1 })
    const first = scheduler.plan()!
    const second = scheduler.plan()!
    scheduler.finish(seqs['a']!)
    scheduler.check()
    expect([blocks.free, scheduler.capacity.freeSlots]).toEqual([13, 2])
    scheduler.complete(first)
    expect([blocks.free, scheduler.capacity.freeSlots]).toEqual([13, 2])
    scheduler.complete(second)
    expect([blocks.free, scheduler.capacity.freeSlots]).toEqual([15, 3])
    scheduler.check()
  })

  it('frees at once what no step in flight uses', () => {
    const { scheduler, blocks, seqs } = setup({ a: 40 })
    step(scheduler)
    scheduler.finish(seqs['a']!)
    expect(blocks.free).toBe(16)
  })

  it('forgets a waiting sequence', () => {
    const { scheduler, seqs } = setup({ a: 5, b: 5 })
    scheduler.finish(seqs['a']!)
    scheduler.finish(seqs['a']!)
    expect(step(scheduler)).toBe('b[0+5]')
  })
})

describe('several answers to one prompt', () => {
  function forked(prompt: number, n: number, options = {}) {
    const { scheduler, blocks } = setup({}, options)
    const [leader, ...forks] = Array.from({ length: n }, (_, i) => new Named(`a${i}`, prompt, 20))
    leader!.forks = forks
    scheduler.add(leader!)
    return { scheduler, blocks }
  }

  it('compute the prompt once, and sample all first tokens from its last row', () => {
    const { scheduler, blocks } = forked(40, 3)
    const plan = scheduler.plan()!
    expect(show(plan)).toBe('a0[0+40]')
    expect(plan.opened.map((seq) => seq.slot)).toEqual([0, 1, 2])
    expect(plan.rows.map(({ seq, index }) => [seq.id, index])).toEqual([
      ['a0', 39],
      ['a1', 39],
      ['a2', 39],
    ])
    expect(blocks.free).toBe(14)
  })

  it('copy the half-full page for all writers but the last', () => {
    const { scheduler, blocks } = forked(40, 3)
    complete(scheduler, scheduler.plan()!)
    const plan = scheduler.plan()!
    expect(show(plan)).toBe('a0[40+1] a1[40+1] a2[40+1]')
    expect(plan.copies).toEqual([1, 2, 1, 3])
    expect(blocks.free).toBe(12)
  })

  it('wait until all of them have slots, and are refused when they never will', () => {
    expect(() => forked(4, 5)).toThrow(
      expect.objectContaining({ code: 'KV_ARGUMENT', message: expect.stringMatching(/^n: expected at most 4/) }),
    )
    const { scheduler } = forked(4, 3)
    const early = [new Named('b', 1, 9), new Named('c', 1, 9)]
    for (const seq of [...early].reverse()) scheduler.policy.putBack(seq)
    expect(step(scheduler)).toBe('b[0+1] c[0+1]')
    scheduler.finish(early[0]!)
    expect(step(scheduler)).toBe('c[1+1] a0[0+4]')
  })
})

describe('programs', () => {
  it('take turns: a step runs one', () => {
    const { scheduler } = setup({ a: 1 })
    scheduler.add(new Named('e', 100, 0, 'embed', 1))
    scheduler.add(new Named('f', 10, 0, 'embed', 2))
    const steps = Array.from({ length: 6 }, () => scheduler.plan()!).map((plan) => `${plan.program}: ${show(plan)}`)
    expect(steps).toEqual(['0: a[0+1]', '1: e[0+64]', '2: f[0+10]', '0: a[1+1]', '1: e[64+36]', '0: a[2+1]'])
  })

  it('give a text that is scored alone every row', () => {
    const { scheduler } = setup({})
    scheduler.add(new Named('s', 100, 0, 'score'))
    expect(step(scheduler)).toBe('s[0+8]')
    scheduler.add(new Named('a', 1, 9))
    expect(step(scheduler)).toBe('s[8+4] a[0+1]')
  })

  it('leave rows to newer answers while a long text is scored', () => {
    const { scheduler } = setup({})
    scheduler.add(new Named('s', 100, 0, 'score'))
    scheduler.add(new Named('a', 3, 9))
    const plan = scheduler.plan()!
    expect(show(plan)).toBe('s[0+4] a[0+3]')
    expect(plan.rows.map(({ seq, scored }) => `${seq.id}${scored ? '?' : ''}`).join(' ')).toBe('s? s? s? s? a')
  })
})

it('works in proportion to what it schedules: a thousand waiting cost nothing', () => {
  const { scheduler } = setup({ a: 1 }, { maxSequences: 1 })
  for (let i = 0; i < 1000; i++) scheduler.add(new Named(`w${i}`, 1, 9))
  expect(step(scheduler)).toBe('a[0+1]')
  const visited = new Set<string>()
  for (const seq of scheduler.policy.waiting())
    Object.defineProperty(seq, 'length', { get: () => visited.add(seq.id) && 1 })
  step(scheduler)
  expect(visited.size).toBeLessThanOrEqual(1)
})

import { describe, expect, it } from 'vitest'
import { pairs, StepTime, type StepWork } from '../../lib/scheduler/step-time.ts'
import { random } from '../support/random.ts'

const decode = (sequences: number, context: number): StepWork => ({
  tokens: sequences,
  sequences,
  attention: sequences * context,
  rows: sequences,
})
const chunk = (start: number, tokens: number): StepWork => ({
  tokens,
  sequences: 1,
  attention: pairs(start, tokens),
  rows: 0,
})
const both = (a: StepWork, b: StepWork): StepWork => ({
  tokens: a.tokens + b.tokens,
  sequences: a.sequences + b.sequences,
  attention: a.attention + b.attention,
  rows: a.rows + b.rows,
})

/** A device: what a step takes. */
const device =
  (factor = 1) =>
  ({ tokens, sequences, attention, rows }: StepWork) =>
    factor * (3 + 0.15 * tokens + 0.05 * sequences + 2e-5 * attention + 0.02 * rows)

/** A model that has seen `steps` steps of a mixed load, measured with some noise. */
function learnt(time: (work: StepWork) => number, steps = 400, noise = 0.1, model = new StepTime()) {
  const { below, normal } = random(3)
  for (let i = 0; i < steps; i++) {
    const streams = decode(1 + below(64), 100 + below(900))
    const work = below(3) === 0 ? both(streams, chunk(below(4000), 1 + below(500))) : streams
    model.observe(work, time(work) * (1 + noise * normal()))
  }
  return model
}

describe('StepTime', () => {
  it('says nothing before it has seen a few steps', () => {
    const model = new StepTime()
    expect(model.ready).toBe(false)
    expect(learnt(device(), 8, 0, model).ready).toBe(true)
  })

  it.each([
    ['streams', decode(32, 500)],
    ['a chunk', chunk(1000, 400)],
    ['both', both(decode(64, 800), chunk(3000, 256))],
  ])('predicts %s within 5 % after a noisy load', (_, work) => {
    expect(Math.abs(learnt(device()).predict(work) / device()(work) - 1)).toBeLessThan(0.05)
  })

  it('follows a device that has become twice as slow', () => {
    const model = learnt(device())
    learnt(device(2), 1200, 0.1, model)
    const work = both(decode(32, 500), chunk(100, 200))
    expect(Math.abs(model.predict(work) / device(2)(work) - 1)).toBeLessThan(0.1)
  })

  it('is not upset by a step that took a second', () => {
    const model = learnt(device())
    const before = model.predict(decode(32, 500))
    model.observe(decode(32, 500), 1000)
    expect(Math.abs(model.predict(decode(32, 500)) / before - 1)).toBeLessThan(0.05)
  })

  it('tells at once when steps take longer than it says, and when they do no more', () => {
    const model = learnt(device(), 400, 0)
    const work = decode(32, 500)
    expect(model.slowness).toBeLessThan(1.05)
    for (let i = 0; i < 6; i++) model.observe(work, 2 * device()(work))
    expect(model.slowness).toBeGreaterThan(1.7)
    for (let i = 0; i < 12; i++) model.observe(work, device()(work))
    expect(model.slowness).toBeLessThan(1.1)
  })

  it('remembers long prompts after hours of nothing but streams', () => {
    const model = learnt(device())
    const { normal } = random(4)
    for (let i = 0; i < 20000; i++) {
      const work = decode(16, 400 + (i % 50))
      model.observe(work, device()(work) * (1 + 0.1 * normal()))
    }
    const work = chunk(1000, 400)
    expect(Math.abs(model.predict(work) / device()(work) - 1)).toBeLessThan(0.15)
  })

  it('never gives a negative cost, whatever it is told', () => {
    const model = new StepTime()
    const { below, next } = random(5)
    for (let i = 0; i < 2000; i++) {
      model.observe({ tokens: below(500), sequences: below(64), attention: below(1e6), rows: below(64) }, 100 * next())
      const work = { tokens: below(500), sequences: below(64), attention: below(1e6), rows: below(64) }
      expect(model.predict(work)).toBeGreaterThanOrEqual(0)
      expect(model.fit(10, below(5000))).toBeGreaterThanOrEqual(0)
    }
  })

  it('fits as many tokens as a time allows, and no more', () => {
    const model = learnt(device(), 400, 0)
    const base = decode(16, 300)
    for (const start of [0, 500, 6000])
      for (const ms of [5, 20, 80]) {
        const count = model.fit(ms, start)
        expect(model.predict(both(base, chunk(start, count))) - model.predict(base)).toBeLessThanOrEqual(ms)
        expect(model.predict(both(base, chunk(start, count + 1))) - model.predict(base)).toBeGreaterThan(ms)
      }
    expect(model.fit(0, 0)).toBe(0)
  })

  it('knows what a prompt takes alone', () => {
    const model = learnt(device(), 400, 0)
    const steps = [chunk(0, 512), chunk(512, 512), { ...chunk(1024, 76), rows: 1 }]
    const expected = steps.reduce((sum, work) => sum + device()(work), 0)
    expect(model.prefill(0, 1100, 512) / expected).toBeCloseTo(1, 2)
  })
})

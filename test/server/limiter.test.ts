// Limits over time, by a clock of the test's own.
import { expect, it } from 'vitest'
import { Limiter } from '../../lib/server/limiter.ts'

function limited(limits: ConstructorParameters<typeof Limiter>[0]) {
  let now = 0
  const limiter = new Limiter(limits, () => now)
  const attempt = () => {
    try {
      limiter.begin()
      return 'begun'
    } catch (error) {
      const { type, retryAfter } = error as { type: string; retryAfter: number }
      return `${type} ${retryAfter.toFixed(1)}`
    }
  }
  return { limiter, attempt, pass: (seconds: number) => (now += seconds * 1000) }
}

it('requests come back evenly, and never above the limit', () => {
  const { attempt, limiter, pass } = limited({ requestsPerMinute: 3 })
  expect([attempt(), attempt(), attempt(), attempt()]).toEqual(['begun', 'begun', 'begun', 'requests 20.0'])
  pass(19)
  expect(attempt()).toBe('requests 1.0')
  pass(1)
  expect([attempt(), attempt()]).toEqual(['begun', 'requests 20.0'])
  pass(3600)
  expect(limiter.headers()).toMatchObject({
    'x-ratelimit-remaining-requests': '3',
    'x-ratelimit-reset-requests': '0.000s',
  })
})

it('tokens are counted when they are known: a large answer makes the next one wait', () => {
  const { attempt, limiter, pass } = limited({ tokensPerMinute: 60 })
  expect(attempt()).toBe('begun')
  limiter.took(90)
  expect(attempt()).toBe('tokens 31.0')
  pass(31)
  expect(attempt()).toBe('begun')
})

it('a place is free when its request has ended; what was refused takes none', () => {
  const { attempt, limiter } = limited({ concurrent: 2, requestsPerMinute: 100 })
  expect([attempt(), attempt(), attempt()]).toEqual(['begun', 'begun', 'requests 1.0'])
  limiter.end()
  expect([attempt(), attempt()]).toEqual(['begun', 'requests 1.0'])
  expect(limiter.headers()['x-ratelimit-remaining-requests']).toBe('97')
})

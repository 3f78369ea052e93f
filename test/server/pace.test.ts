// A few at once, in order, and everybody in the end.
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Pace } from '../../lib/server/pace.ts'

it('lets a few through in each turn of the event loop, in the order in which they came', async () => {
  const pace = new Pace(3)
  const through: number[] = []
  const crowd = Array.from({ length: 10 }, async (_, i) => {
    await pace.turn()
    through.push(i)
  })
  const counts: number[] = []
  while (through.length < 10) {
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    counts.push(through.length)
    await turn()
  }
  await Promise.all(crowd)
  expect(through).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)))).toBeLessThanOrEqual(3)
})

it('makes nobody wait who comes alone', async () => {
  const pace = new Pace(2)
  for (let i = 0; i < 5; i++) {
    expect(pace.turn()).toBeUndefined()
    await turn()
  }
})

it('runs tasks in later turns, in order, a few in each', async () => {
  const pace = new Pace(2)
  const ran: number[] = []
  for (let i = 0; i < 5; i++) pace.run(() => ran.push(i))
  expect(ran).toEqual([])
  const counts: number[] = []
  while (ran.length < 5) {
    await turn()
    counts.push(ran.length)
  }
  expect(ran).toEqual([0, 1, 2, 3, 4])
  expect(Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)))).toBeLessThanOrEqual(2)
})

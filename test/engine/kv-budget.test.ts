// What the KV cache does when memory is short, on readings that a test makes up: one a second.
import { expect, it } from 'vitest'
import { KvBudget } from '../../lib/engine/kv-budget.ts'
import type { MemoryReading } from '../../lib/machine/memory-pressure.ts'

const GB = 2 ** 30
const PAGE = 2 ** 20
const SHORT = { limit: GB, free: GB / 50, stalled: 0 }
const STALLED = { limit: GB, free: GB / 2, stalled: 0.4 }
const CALM = { limit: GB, free: GB, stalled: 0 }

/** A cache of 100 pages, at least 20, of which `resident` hold memory; `play` gives what changes in some seconds. */
function cache({ resident = 100, most = 100, least = 20 } = {}) {
  const budget = new KvBudget(PAGE)
  const state = { now: most, at: 0 }
  const play = (reading: MemoryReading, seconds: number) => {
    const changes: number[] = []
    for (let i = 0; i < seconds; i++, state.at += 1000) {
      const pages = { most, least, now: state.now, resident: Math.min(resident, state.now) }
      const change = budget.next(reading, pages, state.at)
      if (!change) continue
      expect(change.pages).toBeGreaterThanOrEqual(least)
      expect(change.pages).toBeLessThanOrEqual(most)
      expect(change.pages).not.toBe(state.now)
      expect(change.why).toMatch(/\d %/)
      changes.push(change.pages)
      state.now = change.pages
    }
    return changes
  }
  return { play, state }
}

it.each([SHORT, STALLED])('gives way in halves, down to what one request needs', (reading) => {
  const { play } = cache()
  expect(play(reading, 1)).toEqual([50])
  expect(play(reading, 2)).toEqual([]) // the memory is on its way back
  expect(play(reading, 60)).toEqual([25, 20])
})

it('halves what holds memory: pages that were never used are nobody’s relief', () => {
  expect(cache({ resident: 60 }).play(SHORT, 1)).toEqual([30])
  expect(cache({ resident: 0 }).play(SHORT, 1)).toEqual([20])
})

it('does nothing in between, and takes back in quarters after half a minute of calm', () => {
  const { play } = cache()
  play(SHORT, 20)
  expect(play({ ...CALM, free: GB / 10 }, 600)).toEqual([]) // neither short nor calm
  expect(play(CALM, 30)).toEqual([])
  expect(play(CALM, 130)).toEqual([45, 70, 95, 100])
  expect(play(CALM, 600)).toEqual([])
})

it('takes back only what leaves enough free', () => {
  const { play } = cache()
  play(SHORT, 20)
  const room = (pages: number) => ({ ...CALM, free: 0.15 * GB + pages * PAGE })
  expect(play(room(5), 600)).toEqual([]) // less is not worth it
  expect(play(room(10), 31)).toEqual([30])
})

it('waits twice as long whenever it took back too early, and forgets it after a quiet while', () => {
  const { play, state } = cache()
  const seconds = () => {
    const { at } = state
    for (let i = 0; i < 1000; i++) if (play(CALM, 1).length > 0) break
    return (state.at - at) / 1000
  }
  const waits = Array.from({ length: 7 }, () => {
    play(SHORT, 20)
    return seconds()
  })
  expect(waits).toEqual([31, 61, 121, 241, 481, 481, 481])
  play(CALM, 1000)
  play({ ...CALM, free: GB / 10 }, 2000)
  play(SHORT, 20)
  expect(seconds()).toBe(31)
})

it('is calm only when it was all the while', () => {
  const { play } = cache()
  play(SHORT, 20)
  for (let i = 0; i < 10; i++) expect([...play(CALM, 25), ...play({ ...CALM, stalled: 0.05 }, 1)]).toEqual([])
})

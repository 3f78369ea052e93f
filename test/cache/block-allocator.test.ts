import { describe, expect, it } from 'vitest'
import { BlockAllocator, pagesFor } from '../../lib/cache/block-allocator.ts'
import { BlockTable } from '../../lib/cache/block-table.ts'

/** A table whose tokens [0, tokens) are reserved. */
function table(blocks: BlockAllocator, tokens: number): BlockTable {
  const made = new BlockTable()
  made.reserve(blocks, 0, tokens, [])
  return made
}

describe('BlockAllocator', () => {
  it('gives out low pages first, and the last freed before any other', () => {
    const blocks = new BlockAllocator(8)
    const pages = [blocks.allocate(), blocks.allocate(), blocks.allocate()]
    expect(pages).toEqual([0, 1, 2])
    blocks.release(1)
    expect(blocks.allocate()).toBe(1)
    expect(blocks.free).toBe(5)
  })

  it('frees a shared page with its last holder', () => {
    const blocks = new BlockAllocator(2)
    const page = blocks.allocate()
    blocks.share(page)
    blocks.release(page)
    expect(blocks.free).toBe(1)
    blocks.release(page)
    expect(blocks.free).toBe(2)
  })

  it('keeps promised pages for who comes for them, cached ones too, and gives none of them to a smaller budget', () => {
    const blocks = new BlockAllocator(4)
    const [page] = [blocks.allocate()]
    blocks.keep(page!)
    blocks.release(page!)
    blocks.promise(3)
    expect(blocks.free).toBe(1)
    blocks.resize(1)
    expect([blocks.free, blocks.budget, blocks.gone.length]).toEqual([0, 1, 1])
    expect(() => blocks.check([])).toThrow('0 pages promised, 3 recorded')
    const taken: number[] = []
    for (let left = 2; left >= 0; left--) {
      blocks.redeem(1)
      taken.push(blocks.allocate())
      blocks.check([taken], left)
    }
    for (const one of taken.splice(0)) blocks.release(one)
    blocks.check([])
    expect([blocks.free, blocks.gone.length]).toEqual([1, 3])
  })

  it('keeps a promised page that was lent, while others retire', () => {
    const blocks = new BlockAllocator(2)
    const page = blocks.allocate()
    blocks.keep(page)
    blocks.release(page)
    const owned = blocks.allocate()
    blocks.promise(1)
    blocks.resize(1)
    blocks.share(page) // somebody looks whether there is room to start, and there is none
    blocks.release(page)
    blocks.redeem(1)
    expect(blocks.allocate()).toBe(page)
    blocks.release(owned)
    blocks.check([[page]])
  })

  it('lets what nobody comes for go to the smaller budget', () => {
    const blocks = new BlockAllocator(4)
    blocks.promise(4)
    blocks.resize(1)
    expect(blocks.gone).toHaveLength(0)
    blocks.redeem(4, true)
    blocks.check([])
    expect([blocks.free, blocks.gone.length]).toEqual([1, 3])
  })

  it('shrinks: free pages first, then cached ones, then owned ones when they are released; and grows again', () => {
    const blocks = new BlockAllocator(8)
    const evicted: number[] = []
    blocks.onEvict = (page) => evicted.push(page)
    const owned = [0, 1, 2, 3, 4, 5].map(() => blocks.allocate())
    blocks.keep(4)
    blocks.keep(5)
    blocks.release(4)
    blocks.release(5)
    blocks.resize(6)
    expect([blocks.budget, blocks.free, blocks.cached, evicted]).toEqual([6, 2, 2, []])
    blocks.resize(3)
    expect([blocks.budget, blocks.free, evicted, blocks.gone.length]).toEqual([3, 0, [4, 5], 4])
    blocks.check([owned.slice(0, 4)])
    expect(() => blocks.allocate()).toThrow(/no page is free/)
    blocks.keep(3)
    blocks.release(3) // it may not stay cached: a page is owed
    expect([blocks.free, evicted, blocks.gone.length]).toEqual([0, [4, 5, 3], 5])
    blocks.release(2)
    expect([blocks.budget, blocks.free]).toEqual([3, 1])
    blocks.check([[0, 1]])
    blocks.resize(1)
    blocks.resize(8)
    blocks.check([[0, 1]])
    expect([blocks.budget, blocks.free, blocks.gone]).toEqual([8, 6, []])
    expect(new Set(Array.from({ length: 6 }, () => blocks.allocate())).size).toBe(6)
  })

  it('tells the state of every page', () => {
    const blocks = new BlockAllocator(4)
    const [owned, cached, crowded] = [blocks.allocate(), blocks.allocate(), blocks.allocate()] as [
      number,
      number,
      number,
    ]
    blocks.keep(owned) // owned and kept: owned
    blocks.keep(cached)
    blocks.release(cached)
    for (let i = 1; i < 300; i++) blocks.share(crowded)
    const states = new Uint8Array(4)
    blocks.states(states)
    expect([...states]).toEqual([2, 1, 254, 0])
    blocks.resize(2) // the free page goes, then the cached one
    blocks.states(states)
    expect([...states]).toEqual([2, 255, 254, 255])
    blocks.resize(3)
    blocks.states(states)
    expect([...states]).toEqual([2, 0, 254, 255])
  })

  it('refuses what would lose or double a page', () => {
    const blocks = new BlockAllocator(1)
    expect(() => blocks.release(0)).toThrow(/released twice/)
    expect(() => blocks.share(0)).toThrow(/free/)
    blocks.allocate()
    expect(() => blocks.allocate()).toThrow(/no page is free/)
    expect(() => new BlockAllocator(0)).toThrow(/positive integer, found 0/)
  })

  it('notices a page that is lost, and one that nobody recorded', () => {
    const blocks = new BlockAllocator(4)
    const page = blocks.allocate()
    blocks.check([[page]])
    expect(() => blocks.check([])).toThrow(`page ${page}: 0 holders found, 1 recorded`)
    expect(() => blocks.check([[page], [page]])).toThrow(`page ${page}: 2 holders found, 1 recorded`)
    expect(() => blocks.check([[page], [3]])).toThrow('page 3: 1 holders found, 0 recorded')
  })
})

describe('BlockTable', () => {
  it.each([1, 31, 32, 33, 64, 65, 500])('holds %i tokens in as few pages as can be', (tokens) => {
    const blocks = new BlockAllocator(20)
    expect(table(blocks, tokens).count).toBe(pagesFor(tokens))
    expect(blocks.free).toBe(20 - Math.ceil(tokens / 32))
  })

  it('asks for a page only when it crosses into one', () => {
    const blocks = new BlockAllocator(4)
    const one = table(blocks, 31)
    expect(one.missing(blocks, 31, 32)).toBe(0)
    expect(one.missing(blocks, 31, 33)).toBe(1)
    expect(one.missing(blocks, 31, 97)).toBe(3)
  })

  it('copies the half-full last page for whoever writes first, and lets the last holder keep it', () => {
    const blocks = new BlockAllocator(8)
    const one = table(blocks, 40)
    const two = one.fork(blocks, 40)
    const shared = [...one.list()]
    expect([...two.list()]).toEqual(shared)

    expect(one.missing(blocks, 40, 41)).toBe(1)
    const copies: number[] = []
    one.reserve(blocks, 40, 41, copies)
    expect(copies).toEqual([shared[1], one.list()[1]])
    expect(one.list()[0]).toBe(shared[0])
    expect(two.missing(blocks, 40, 41)).toBe(0)
    two.reserve(blocks, 40, 41, copies)
    expect(copies).toHaveLength(2)
    blocks.check([one.list(), two.list()])
  })

  it('copies nothing when the shared prompt fills its pages', () => {
    const blocks = new BlockAllocator(8)
    const one = table(blocks, 64)
    const two = one.fork(blocks, 64)
    const copies: number[] = []
    one.reserve(blocks, 64, 65, copies)
    two.reserve(blocks, 64, 65, copies)
    expect(copies).toEqual([])
    expect(blocks.holders(one.list()[1]!)).toBe(2)
    expect(one.list()[2]).not.toBe(two.list()[2])
  })

  it('gives everything back', () => {
    const blocks = new BlockAllocator(8)
    const one = table(blocks, 100)
    const two = one.fork(blocks, 70)
    one.release(blocks)
    two.release(blocks)
    expect(blocks.free).toBe(8)
    blocks.check([])
  })
})

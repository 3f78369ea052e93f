import { describe, expect, it } from 'vitest'
import { BlockAllocator, pagesFor } from '../../lib/cache/block-allocator.ts'
import { BlockTable } from '../../lib/cache/block-table.ts'
import { type Outside, PrefixTree } from '../../lib/cache/prefix-tree.ts'
import type { TokenSource } from '../../lib/cache/tree-nodes.ts'
import { random } from '../support/random.ts'

const source = (ids: number[]): TokenSource => ({
  copyTokens: (start, end, words, at) => {
    for (let p = start; p < end; p++) words[at++] = ids[p]!
    return at
  },
})

/** `count` ids from `first` on. */
const run = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i)

function setup(pages = 16, outside?: Outside) {
  const blocks = new BlockAllocator(pages)
  const tree = new PrefixTree(blocks, outside)
  /** A sequence with these tokens: takes what is cached, computes the rest. */
  const start = (ids: number[], salt = '') => {
    const table = new BlockTable()
    const match = tree.match(source(ids), salt, ids.length)
    table.adopt(blocks, match.pages)
    table.reserve(blocks, match.tokens, ids.length, [])
    return table
  }
  const end = (ids: number[], table: BlockTable, salt = '') => {
    tree.keep(source(ids), salt, table, ids.length)
    table.release(blocks)
  }
  const compute = (ids: number[], salt = '') => end(ids, start(ids, salt), salt)
  const cached = (ids: number[], salt = '') => tree.match(source(ids), salt, ids.length).tokens
  return { blocks, tree, start, end, compute, cached }
}

describe('a finished text', () => {
  it.each([1, 31, 32, 33, 64, 100])('of %i tokens is found again, token-exact', (length) => {
    const { compute, cached } = setup()
    compute(run(0, length))
    for (const shared of [1, 31, 32, 33, 63, 64, 65, 100])
      expect(cached([...run(0, shared), ...run(1000, 40)])).toBe(Math.min(shared, length))
    expect(cached(run(1, length))).toBe(0)
  })

  it('costs nobody a page: cached pages are free', () => {
    const { blocks, compute } = setup(4)
    compute(run(0, 128))
    expect([blocks.free, blocks.cached]).toEqual([4, 4])
    for (let i = 0; i < 4; i++) blocks.allocate()
    expect([blocks.free, blocks.cached]).toEqual([0, 0])
  })

  it('takes the place of a shorter one, and is not replaced by one', () => {
    const { blocks, compute, cached } = setup()
    compute(run(0, 40))
    compute(run(0, 50))
    expect(blocks.cached).toBe(2)
    compute(run(0, 45))
    expect([blocks.cached, cached(run(0, 60))]).toEqual([2, 50])
  })

  it('keeps its page once, however often it was computed at the same time', () => {
    const { blocks, start, end, cached } = setup()
    const tables = [start(run(0, 70)), start(run(0, 70)), start(run(0, 70))]
    for (const table of tables) end(run(0, 70), table)
    expect([blocks.cached, cached(run(0, 70))]).toEqual([3, 70])
  })

  it('is not there for another tenant', () => {
    const { compute, cached } = setup()
    compute(run(0, 64), 'a')
    expect([cached(run(0, 64), 'b'), cached(run(0, 64)), cached(run(0, 64), 'a')]).toEqual([0, 0, 64])
  })
})

describe('a page that is found', () => {
  it('is shared when it is full and copied when it is written', () => {
    const { blocks, tree, compute } = setup()
    compute(run(0, 64))
    const table = new BlockTable()
    const match = tree.match(source(run(0, 80)), '', 40)
    table.adopt(blocks, match.pages)
    const copies: number[] = []
    expect(table.missing(blocks, 40, 80)).toBe(2)
    table.reserve(blocks, 40, 80, copies)
    expect(copies).toEqual([match.pages[1], table.list()[1]])
    expect(table.list()[0]).toBe(match.pages[0])
    blocks.check([table.list()])
  })

  it('stays while somebody uses it, whatever else is needed', () => {
    const { blocks, tree, compute, start, cached } = setup(4)
    compute(run(0, 64))
    const table = start(run(0, 64))
    while (blocks.free > 0) blocks.allocate()
    expect(cached(run(0, 64))).toBe(64)
    tree.check()
    table.release(blocks)
    blocks.allocate()
    expect(cached(run(0, 64))).toBe(32)
  })
})

describe('when room is needed', () => {
  it('goes what was longest unused, the end of a text before its beginning', () => {
    const { blocks, compute, cached } = setup(6)
    compute(run(0, 96))
    compute(run(500, 96))
    expect(cached(run(0, 96))).toBe(96)
    compute(run(0, 96)) // used again
    blocks.allocate()
    expect([cached(run(0, 96)), cached(run(500, 96))]).toEqual([96, 64])
    for (let i = 0; i < 3; i++) blocks.allocate()
    expect([cached(run(0, 96)), cached(run(500, 96))]).toEqual([64, 0])
  })

  it('remembers that it was there, to tell why a lookup missed', () => {
    const { blocks, tree, compute } = setup(4)
    compute(run(0, 128))
    for (let i = 0; i < 2; i++) blocks.allocate()
    expect(tree.match(source(run(0, 200)), '', 200)).toMatchObject({ tokens: 64, evicted: 64 })
    expect(tree.match(source(run(900, 200)), '', 200)).toMatchObject({ tokens: 0, evicted: 0 })
  })
})

it('publishes the full pages of a sequence that goes on', () => {
  const { blocks, tree, start, end, cached } = setup()
  const one = start(run(0, 80))
  tree.publish(source(run(0, 80)), '', one, 80)
  expect(cached(run(0, 80))).toBe(64)
  const two = start(run(0, 80))
  expect([...two.list()].slice(0, 2)).toEqual([...one.list()].slice(0, 2))
  one.reserve(blocks, 80, 96, [])
  end([...run(0, 80), ...run(700, 16)], one)
  end(run(0, 80), two)
  expect(cached([...run(0, 80), ...run(700, 16)])).toBe(96)
  tree.check()
  blocks.check([])
})

// The tree against the plainest thing that can be right: a list of all texts, as long as nothing is evicted.
it('finds what a list of all texts would find, in any order', () => {
  const rounds = process.env['KVASIR_TEST'] === 'full' ? 400 : 30
  for (let round = 0; round < rounds; round++) {
    const { below } = random(round)
    const texts: number[][] = []
    const { blocks, tree, start, end, cached } = setup(4096)
    const open: { ids: number[]; table: BlockTable }[] = []
    const text = () => {
      const base = texts.length > 0 && below(4) > 0 ? texts[below(texts.length)]! : []
      return [...base.slice(0, below(base.length + 1)), ...Array.from({ length: 1 + below(80) }, () => below(3))]
    }
    for (let i = 0; i < 60; i++) {
      const ids = text()
      const longest = Math.max(
        0,
        ...texts
          .map((one) => one.findIndex((id, p) => id !== ids[p]) >>> 0)
          .map((n, k) => Math.min(n, texts[k]!.length, ids.length)),
      )
      expect(cached(ids)).toBe(longest)
      open.push({ ids, table: start(ids) })
      while (open.length > below(4)) {
        const { ids, table } = open.splice(below(open.length), 1)[0]!
        end(ids, table)
        texts.push(ids)
      }
      tree.check()
      blocks.check(open.map(({ table }) => table.list()))
    }
  }
})

it('gives up what it must and loses no page, over random loads on few pages', () => {
  const { below } = random(7)
  const { blocks, tree, start, end } = setup(24)
  const open: { ids: number[]; table: BlockTable }[] = []
  for (let i = 0; i < 3000; i++) {
    const ids = Array.from({ length: 1 + below(100) }, (_, p) => (p < 40 ? below(1.02) : below(3)))
    if (blocks.free > pagesFor(ids.length)) open.push({ ids, table: start(ids) })
    if (open.length > below(6)) {
      const { ids, table } = open.splice(below(open.length), 1)[0]!
      end(ids, table)
    }
    tree.check()
    blocks.check(open.map(({ table }) => table.list()))
  }
})

describe('with room outside', () => {
  /** What is copied, in order; pages are worth it while `worth` says so. */
  function outside(places: number, worth = (_mark: number, _start: number) => true) {
    const copies: [number, number][] = []
    const room = {
      places: new BlockAllocator(places),
      worth,
      copy: (from: number, to: number) => copies.push([from, to]),
    }
    return { room: room as Outside, copies }
  }

  it('a page that makes room is found there, behind those that stay', () => {
    const { room, copies } = outside(8)
    const { blocks, tree, compute } = setup(4, room)
    compute(run(0, 120))
    const [third, fourth] = tree.match(source(run(0, 120)), '', 120).pages.slice(2)
    for (let i = 0; i < 2; i++) blocks.allocate()
    expect(copies).toEqual([
      [fourth, 4],
      [third, 5],
    ])
    const match = tree.match(source(run(0, 110)), '', 110)
    expect(match).toMatchObject({ tokens: 64, outside: [5, 4], reach: 110, evicted: 0 })
    expect(tree.match(source(run(500, 50)), '', 50)).toMatchObject({ outside: [], reach: 0 })
    tree.check()
  })

  it('asks for each page by its mark and its place in the text', () => {
    const asked: [number, number][] = []
    const { room } = outside(8, (mark, start) => asked.push([mark, start]) > 0)
    const { blocks, tree, start } = setup(4, room)
    const table = start(run(0, 100))
    tree.keep(source(run(0, 100)), '', table, 100, 7)
    table.release(blocks)
    for (let i = 0; i < 4; i++) blocks.allocate()
    expect(asked).toEqual([
      [7, 96],
      [7, 64],
      [7, 32],
      [7, 0],
    ])
  })

  it('comes back with the pages of who computed or copied it again', () => {
    const { room } = outside(8)
    const { blocks, tree, compute, start, cached } = setup(4, room)
    compute(run(0, 96))
    const others = [blocks.allocate(), blocks.allocate(), blocks.allocate()]
    expect([room.places.cached, cached(run(0, 96))]).toEqual([2, 32])
    for (const page of others) blocks.release(page)
    const table = start(run(0, 96))
    tree.publish(source(run(0, 96)), '', table, 96)
    expect([room.places.cached, cached(run(0, 96))]).toEqual([0, 96])
    tree.check()
    blocks.check([table.list()])
  })

  it('loses the longest unused first, and all that follows a page that is lost', () => {
    let worth = true
    const { room } = outside(2, () => worth)
    const { blocks, tree, compute } = setup(4, room)
    compute(run(0, 128))
    for (let i = 0; i < 3; i++) blocks.allocate()
    expect(tree.match(source(run(0, 128)), '', 128)).toMatchObject({ tokens: 32, reach: 96, evicted: 32 })
    worth = false
    blocks.allocate()
    expect(tree.match(source(run(0, 128)), '', 128)).toMatchObject({ reach: 0, evicted: 128 })
    expect([room.places.free, room.places.cached]).toEqual([2, 0])
    tree.check()
  })

  it('forgets all at once', () => {
    const { room } = outside(8)
    const { blocks, tree, compute, cached } = setup(4, room)
    compute(run(0, 64))
    compute(run(500, 64), 'a')
    for (let i = 0; i < 3; i++) blocks.allocate()
    tree.forgetOutside()
    tree.check()
    expect([room.places.free, room.places.cached, cached(run(500, 64), 'a')]).toEqual([8, 0, 32])
  })

  it('gives up what it must and loses nothing, over random loads', () => {
    const { below } = random(11)
    const { room, copies } = outside(9, () => below(5) > 0)
    const { blocks, tree, start, end } = setup(24, room)
    const open: { ids: number[]; table: BlockTable }[] = []
    for (let i = 0; i < 3000; i++) {
      const ids = Array.from({ length: 1 + below(100) }, (_, p) => (p < 40 ? below(1.02) : below(3)))
      if (blocks.free > pagesFor(ids.length)) open.push({ ids, table: start(ids) })
      if (below(3) === 0 && open.length > 0) {
        const { ids, table } = open[below(open.length)]!
        tree.publish(source(ids), '', table, ids.length)
      }
      if (open.length > below(6)) {
        const { ids, table } = open.splice(below(open.length), 1)[0]!
        end(ids, table)
      }
      tree.check()
      room.places.check([])
      blocks.check(open.map(({ table }) => table.list()))
    }
    expect(copies.length).toBeGreaterThan(500)
  })
})

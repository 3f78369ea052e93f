import { expect, test } from 'vitest'
import { attend } from '../reference/attention.ts'
import {
  bytesOf,
  dtype,
  emptyRows,
  everyRun,
  f32Rows,
  freshRandom,
  isas,
  kernels,
  pageTokens,
  type Run,
  valuesOf,
  worst,
} from './harness.ts'
import { type Member, PagedCache, sequencesOf } from './paged.ts'

const random = freshRandom('attention')
const layer = 1

interface Shape {
  kind: number
  headDim: number
  kvHeads: number
  group: number
  window: number
}

const randomShape = (): Shape => ({
  kind: random.pick([dtype.f32, dtype.f16, dtype.kv8]),
  headDim: random.pick([16, 24, 32, 64, 72, 80, 96, 128, 256]),
  kvHeads: random.integer(1, 3),
  group: random.integer(1, 8),
  window: random.pick([0, 0, 1, 33, 40, 300]),
})

/** A sequence with its keys and values, written to the cache up to `length`. */
class Story {
  readonly pages: number[]
  readonly held: Float64Array[][][] // [which][kv head][token]
  readonly cache: PagedCache
  readonly length: number

  constructor(cache: PagedCache, length: number, raw: Float32Array[][][]) {
    this.cache = cache
    this.length = length
    this.pages = cache.take(length)
    this.held = raw.map((heads, which) =>
      heads.map((rows, head) =>
        rows
          .slice(0, length)
          .map((x, t) => cache.write(layer, this.pages[Math.floor(t / pageTokens)]!, head, t % pageTokens, which, x)),
      ),
    )
  }
}

const rawStory = (s: Shape, length: number) =>
  [0, 1].map(() =>
    Array.from({ length: s.kvHeads }, () =>
      Array.from({ length }, () => random.normals(s.headDim, random.pick([1, 3]))),
    ),
  )

const pagesFor = (lengths: number[]) => lengths.reduce((sum, n) => sum + Math.ceil(n / pageTokens), 0)

function run(
  s: Shape,
  cache: PagedCache,
  members: Member[],
  q: Float32Array,
  options: Run,
  quantised: boolean,
  room = 0,
) {
  const heads = s.kvHeads * s.group
  const width = (heads + 2 * s.kvHeads) * s.headDim
  const tokens = members.reduce((sum, m) => sum + m.tokens, 0)
  const qkv = new Float32Array(tokens * width).fill(Number.NaN)
  for (let t = 0; t < tokens; t++) qkv.set(q.subarray(t * heads * s.headDim, (t + 1) * heads * s.headDim), t * width)
  const y = emptyRows(quantised ? dtype.act8 : dtype.f32, tokens, heads * s.headDim)
  kernels.run(
    'attention',
    {
      sequences: sequencesOf(members),
      qkv: f32Rows(qkv, width),
      heads,
      scale: 1 / Math.sqrt(s.headDim),
      window: s.window,
      layer,
      kv: cache.kv,
      y,
      workspace: new Float32Array(room),
    },
    options,
  )
  return y
}

test.each(everyRun())('is softmax(q·Kᵀ)·V over the pages of mixed batches ($isa, $threads threads)', (options) => {
  for (let round = 0; round < 8; round++) {
    const s = randomShape()
    const heads = s.kvHeads * s.group
    const lengths = Array.from({ length: random.integer(1, 4) }, () =>
      random.pick([1, 31, 32, 33, 64, 65, 255, 256, 257, 300, 513]),
    )
    const cache = new PagedCache(s.kind, s.kvHeads, s.headDim, pagesFor(lengths) + 3, random)
    const stories = lengths.map((n) => new Story(cache, n, rawStory(s, n)))
    const members = stories.map((story) => {
      const tokens = Math.min(story.length, random.pick([0, 1, 1, 1, 2, 5, 18]))
      return { position: story.length - tokens, tokens, pages: story.pages }
    })
    const tokens = members.reduce((sum, m) => sum + m.tokens, 0)
    const q = random.normals(tokens * heads * s.headDim, 2)
    const y = run(s, cache, members, q, options, false, random.pick([0, 1 << 20]))
    // A score is a sum of headDim products of some size, so its rounding grows with their number.
    // kv8 rounds the weights of a page to 16 bits; the values themselves are known to 8.
    const limit = (s.kind === dtype.kv8 ? 1e-3 : 1e-5) * Math.sqrt(s.headDim / 16)
    let t = 0
    members.forEach((member, i) => {
      for (let n = 0; n < member.tokens; n++, t++) {
        for (let head = 0; head < heads; head++) {
          const from = (t * heads + head) * s.headDim
          const [keys, values] = stories[i]!.held.map((kv) => kv[Math.floor(head / s.group)]!)
          const exact = attend(
            q.subarray(from, from + s.headDim),
            keys!,
            values!,
            member.position + n,
            s.window,
            Math.fround(1 / Math.sqrt(s.headDim)),
            s.kind === dtype.kv8,
          )
          const got = valuesOf(y, t).subarray(head * s.headDim, (head + 1) * s.headDim)
          const off = worst(got, exact)
          if (!(off < limit)) expect.fail(`${JSON.stringify({ ...s, member, head, n })}: ${off} off`)
        }
      }
    })
    expect(t).toBe(tokens)
  }
})

test.each(isas)('prefill, chunks and decode give the same bits, with NaN in what is not yet written (%s)', (isa) => {
  for (const kind of [dtype.f32, dtype.f16, dtype.kv8]) {
    const s = { ...randomShape(), kind, headDim: random.pick([32, 64, 96]), kvHeads: 2, group: random.integer(1, 5) }
    const heads = s.kvHeads * s.group
    const length = random.pick([70, 290])
    const raw = rawStory(s, length)
    const q = random.normals(length * heads * s.headDim, 2)
    const size = heads * s.headDim
    const quantised = random.pick([true, false])

    // In pieces of the given sizes, each with a cache that ends where the piece ends.
    const inPieces = (sizes: number[], options: Run, room: number) => {
      const parts: Uint8Array[] = []
      for (let position = 0, i = 0; position < length; i++) {
        const tokens = Math.min(sizes[i % sizes.length]!, length - position)
        const cache = new PagedCache(kind, s.kvHeads, s.headDim, pagesFor([position + tokens]) + 1, random)
        const story = new Story(cache, position + tokens, raw)
        const member = { position, tokens, pages: story.pages }
        const rows = q.subarray(position * size, (position + tokens) * size)
        parts.push(bytesOf(run(s, cache, [member], rows, options, quantised, room)))
        position += tokens
      }
      return Buffer.concat(parts)
    }
    const whole = inPieces([length], { isa, threads: 1 }, 0)
    expect(inPieces([length], { isa, threads: 3 }, 0).equals(whole)).toBe(true)
    expect(inPieces([random.integer(1, 40), 33, random.integer(1, 70)], { isa, threads: 2 }, 0).equals(whole)).toBe(
      true,
    )
    expect(inPieces([length - 8, 1, 2, 1, 1, 3], { isa, threads: 3 }, 1 << 20).equals(whole)).toBe(true)
    expect(inPieces([length - 8, 1, 2, 1, 1, 3], { isa, threads: 1 }, 0).equals(whole)).toBe(true)
  }
})

test('a sequence has the same bits alone and among others', () => {
  for (const isa of isas) {
    const s = { ...randomShape(), kind: dtype.kv8 }
    const size = s.kvHeads * s.group * s.headDim
    const lengths = [300, 40, 257, 1]
    const cache = new PagedCache(s.kind, s.kvHeads, s.headDim, pagesFor(lengths), random)
    const members = lengths.map((length) => {
      const tokens = Math.min(length, random.integer(1, 9))
      return { position: length - tokens, tokens, pages: new Story(cache, length, rawStory(s, length)).pages }
    })
    const tokens = members.reduce((sum, m) => sum + m.tokens, 0)
    const q = random.normals(tokens * size)
    const together = bytesOf(run(s, cache, members, q, { isa, threads: 2 }, false))
    let t = 0
    for (const member of members) {
      const rows = q.subarray(t * size, (t + member.tokens) * size)
      const alone = bytesOf(run(s, cache, [member], rows, { isa, threads: 3 }, false, 1 << 20))
      expect(Buffer.from(alone).equals(together.subarray(t * size * 4, (t + member.tokens) * size * 4))).toBe(true)
      t += member.tokens
    }
  }
})

test.each(everyRun())(
  'sequences that begin with the same pages have the bits of each alone ($isa, $threads threads)',
  (options) => {
    for (const kind of [dtype.f32, dtype.f16, dtype.kv8]) {
      const s = { ...randomShape(), kind, window: random.pick([0, 0, 600, 4000]) }
      const size = s.kvHeads * s.group * s.headDim
      const prefixes = [random.pick([256, 288, 512]), 256, random.pick([64, 544])]
      const tails = Array.from({ length: random.integer(8, 24) }, () => random.pick([1, 2, 31, 33, 70, 260]))
      const cache = new PagedCache(kind, s.kvHeads, s.headDim, pagesFor([...prefixes, ...tails]), random)
      const stories = prefixes.map((length) => new Story(cache, length, rawStory(s, length)))
      // Whole pages of the prefix: some sequences leave it after its first split, some have a prefix of their own.
      const members = tails.map((tail) => {
        const whole = random.pick([stories[0]!, stories[0]!, stories[0]!, ...stories]).pages
        const shared = whole.slice(0, random.pick([whole.length, whole.length, 256 / pageTokens]))
        const tokens = Math.min(tail, random.pick([1, 1, 1, 1, 1, 3]))
        const pages = [...shared, ...new Story(cache, tail, rawStory(s, tail)).pages]
        return { position: shared.length * pageTokens + tail - tokens, tokens, pages }
      })
      const tokens = members.reduce((sum, m) => sum + m.tokens, 0)
      const q = random.normals(tokens * size)
      const together = bytesOf(run(s, cache, members, q, options, false, 1 << 20))
      let t = 0
      for (const member of members) {
        const rows = q.subarray(t * size, (t + member.tokens) * size)
        const alone = bytesOf(run(s, cache, [member], rows, { ...options, threads: 1 }, false))
        expect(Buffer.from(alone).equals(together.subarray(t * size * 4, (t + member.tokens) * size * 4))).toBe(true)
        t += member.tokens
      }
    }
  },
)

test('AVX2 and AVX-512 have the same bits', () => {
  if (!isas.includes('avx512')) return
  for (const kind of [dtype.f32, dtype.f16, dtype.kv8]) {
    const s = { ...randomShape(), kind }
    const cache = new PagedCache(s.kind, s.kvHeads, s.headDim, pagesFor([290]), random)
    const member = { position: 270, tokens: 20, pages: new Story(cache, 290, rawStory(s, 290)).pages }
    const q = random.normals(20 * s.kvHeads * s.group * s.headDim)
    const [a, b] = ['avx2', 'avx512'].map((isa) => bytesOf(run(s, cache, [member], q, { isa, threads: 1 }, false)))
    expect(Buffer.from(a!).equals(b!)).toBe(true)
  }
})

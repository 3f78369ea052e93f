import { expect, test } from 'vitest'
import { quantize, toHalf } from '../reference/numbers.ts'
import { ropeTable, rotate } from '../reference/rope.ts'
import { rmsNorm } from '../reference/rowwise.ts'
import { dtype, emptyRows, everyRun, f32Row, f32Rows, freshRandom, kernels, pageTokens, worst } from './harness.ts'
import { PagedCache, sequencesOf } from './paged.ts'

const random = freshRandom('rope')

test.each(everyRun())('rotates, normalises and writes the cache ($isa, $threads threads)', (run) => {
  for (let round = 0; round < 12; round++) {
    const kind = random.pick([dtype.f32, dtype.f16, dtype.kv8])
    const headDim = random.pick([16, 24, 64, 80, 96, 128, 256])
    const rotaryDim = random.pick([headDim, headDim / 2])
    const interleaved = random.pick([true, false])
    const [heads, kvHeads] = random.pick([[1, 1] as const, [9, 3] as const, [4, 2] as const])
    const scale = random.pick([1, 1.25])
    const [qNorm, kNorm] = random.pick([true, false])
      ? [random.normals(headDim), random.normals(headDim)]
      : [null, null]
    const width = (heads + 2 * kvHeads) * headDim
    const cache = new PagedCache(kind, kvHeads, headDim, 12, random)
    const members = Array.from({ length: random.integer(1, 3) }, () => {
      const position = random.pick([0, 1, 31, 32, 60])
      const tokens = random.pick([0, 1, 2, 31, 33])
      return { position, tokens, pages: cache.take(position + tokens) }
    })
    const tokens = members.reduce((sum, m) => sum + m.tokens, 0)
    const sequences = sequencesOf(members)
    const invFreq = Float32Array.from({ length: rotaryDim / 2 }, (_, i) => 10000 ** ((-2 * i) / rotaryDim))

    const table = emptyRows(dtype.f32, tokens, rotaryDim)
    kernels.run('rope_table', { sequences, invFreq, scale, y: table }, run)
    const x = random.normals(tokens * width)
    const qkv = f32Rows(x, width)
    kernels.run(
      'rope_kv',
      { sequences, qkv, table, heads, rotaryDim, qNorm, kNorm, eps: 1e-6, interleaved, layer: 1, kv: cache.kv },
      run,
    )

    let t = 0
    for (const member of members) {
      for (let n = 0; n < member.tokens; n++, t++) {
        const position = member.position + n
        const angles = ropeTable(position, invFreq, scale)
        expect(worst(f32Row(table, t), angles)).toBeLessThan(1e-6)
        const row = f32Row(qkv, t)
        for (let head = 0; head < heads + 2 * kvHeads; head++) {
          const raw = x.subarray(t * width + head * headDim, t * width + (head + 1) * headDim)
          const isValue = head >= heads + kvHeads
          const norm = isValue ? null : head < heads ? qNorm : kNorm
          const exact = norm ? rmsNorm(raw, norm, Math.fround(1e-6)) : Float64Array.from(raw)
          if (!isValue) rotate(exact, angles, rotaryDim, interleaved)
          const got = row.subarray(head * headDim, (head + 1) * headDim)
          expect(worst(got, exact)).toBeLessThan(2e-6)
          if (head < heads) continue
          const page = member.pages[Math.floor(position / pageTokens)]!
          const held = cache.read(1, page, (head - heads) % kvHeads, position % pageTokens, isValue ? 1 : 0)
          expect(held).toEqual(stored(kind, Float32Array.from(got)))
        }
      }
    }
  }
})

/** What a cache of this kind keeps of x. */
function stored(kind: number, x: Float32Array): Float64Array {
  if (kind === dtype.f32) return Float64Array.from(x)
  if (kind === dtype.kv8) {
    const { q, scale } = quantize(x)
    return Float64Array.from(q, (v) => v * scale)
  }
  return Float64Array.from(x, (v) => {
    const half = toHalf(v)
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023]
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24
    return half & 0x8000 ? -size : size
  })
}

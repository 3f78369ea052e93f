import { expect, test } from 'vitest'
import { quantize } from '../reference/numbers.ts'
import { rmsNorm, swiglu } from '../reference/rowwise.ts'
import {
  act8Row,
  bytesOf,
  dtype,
  emptyRows,
  everyRun,
  f32Row,
  f32Rows,
  freshRandom,
  isas,
  kernels,
  type Rows,
  valuesOf,
  worst,
} from './harness.ts'

const random = freshRandom('rowwise')
const counts = [0, 1, 2, 31, 32, 33, 70]
const slice = (x: Float32Array, row: number, dim: number) => x.subarray(row * dim, (row + 1) * dim)

/** An act8 row is the quantisation of `exact`, give or take the rounding of the f32 arithmetic before it. */
function expectQuantised(rows: Rows, row: number, exact: Float64Array) {
  const { q, scale, sum } = act8Row(rows, row)
  for (let g = 0; g < rows.dim / 32; g++) {
    const values = q.subarray(g * 32, g * 32 + 32)
    const group = exact.subarray(g * 32, g * 32 + 32)
    const top = group.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
    const off = values.reduce((worst, v, i) => Math.max(worst, Math.abs(v * scale[g]! - group[i]!)), 0)
    const good =
      sum[g] === values.reduce((a, b) => a + b, 0) &&
      Math.abs(scale[g]! * 127 - top) <= top * 2e-6 &&
      off <= 0.5003 * scale[g]!
    if (!good) expect.fail(`group ${g}: ${values} × ${scale[g]}, sum ${sum[g]}, for ${group}`)
  }
}

test.each(everyRun())('rms_norm follows its index and writes f32 or act8 ($isa, $threads threads)', (run) => {
  for (const rows of counts) {
    const dim = random.pick([8, 64, 96, 100, 576])
    const x = random.normals(Math.max(1, rows) * dim, 3)
    const w = random.normals(dim)
    const index = Int32Array.from({ length: rows }, () => random.integer(0, Math.max(0, rows - 1)))
    const source = f32Rows(x, dim)
    for (const kind of dim % 32 ? [dtype.f32] : [dtype.f32, dtype.act8]) {
      const y = emptyRows(kind, rows, dim)
      kernels.run('rms_norm', { x: source, w, index, eps: 1e-5, y }, run)
      for (let r = 0; r < rows; r++) {
        const exact = rmsNorm(slice(x, index[r]!, dim), w, Math.fround(1e-5))
        if (kind === dtype.act8) expectQuantised(y, r, exact)
        else expect(worst(f32Row(y, r), exact)).toBeLessThan(1e-6)
      }
    }
  }
})

test.each(everyRun())('swiglu writes f32 or act8 ($isa, $threads threads)', (run) => {
  for (const rows of counts) {
    const dim = random.pick([8, 32, 96, 256, 288, 1536])
    const x = random.normals(rows * dim * 2, random.pick([1, 40]))
    const source = f32Rows(x, dim * 2)
    for (const kind of dim % 32 ? [dtype.f32] : [dtype.f32, dtype.act8]) {
      const y = emptyRows(kind, rows, dim)
      kernels.run('swiglu', { x: source, y }, run)
      for (let r = 0; r < rows; r++) {
        const exact = swiglu(slice(x, r, dim * 2))
        if (kind === dtype.act8) expectQuantised(y, r, exact)
        else expect(worst(f32Row(y, r), exact)).toBeLessThan(1e-6)
      }
    }
  }
})

test.each(everyRun())('quantize is exact, and add is one rounding ($isa, $threads threads)', (run) => {
  for (const rows of counts) {
    const dim = random.pick([32, 64, 576])
    const x = random.normals(rows * dim, 10)
    for (let i = 0; i < x.length; i += 97) x[i] = 0
    if (rows) x.fill(0, 0, 32)
    const y = emptyRows(dtype.act8, rows, dim)
    kernels.run('quantize', { x: f32Rows(x, dim), y }, run)
    for (let r = 0; r < rows; r++) {
      const { q, scale } = act8Row(y, r)
      for (let g = 0; g < dim / 32; g++) {
        const expected = quantize(x.subarray(r * dim + g * 32, r * dim + g * 32 + 32))
        expect(q.subarray(g * 32, g * 32 + 32)).toEqual(expected.q)
        expect(scale[g]).toBe(expected.scale)
      }
    }
    const other = random.normals(rows * dim)
    const sum = f32Rows(other, dim)
    kernels.run('add', { x: f32Rows(x, dim), y: sum }, run)
    for (let r = 0; r < rows; r++)
      expect(f32Row(sum, r)).toEqual(slice(x, r, dim).map((v, i) => v + other[r * dim + i]!))
  }
})

test('a NaN or infinity in a group reaches its scale and no other group', () => {
  for (const isa of isas) {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const x = random.normals(96)
      x[32 + random.integer(0, 31)] = bad
      const y = emptyRows(dtype.act8, 1, 96)
      kernels.run('quantize', { x: f32Rows(x, 96), y }, { isa, threads: 1 })
      const { q, scale, sum } = act8Row(y, 0)
      expect([...scale].map(Number.isFinite)).toEqual([true, false, true])
      // Nobody may overflow on it.
      for (let g = 0; g < 3; g++) expect(sum[g]).toBe(q.subarray(g * 32, g * 32 + 32).reduce((a, b) => a + b, 0))
    }
  }
})

test('a row has the same bits whatever shares its batch and however many threads there are', () => {
  for (const isa of isas) {
    for (const kind of [dtype.f32, dtype.act8]) {
      const [rows, dim] = [37, 576]
      const x = random.normals(rows * dim * 2)
      const w = random.normals(dim)
      const together = emptyRows(kind, rows, dim)
      kernels.run('swiglu', { x: f32Rows(x, dim * 2), y: together }, { isa, threads: 3 })
      const normed = emptyRows(kind, rows, dim)
      kernels.run(
        'rms_norm',
        { x: f32Rows(x.subarray(0, rows * dim), dim), w, eps: 1e-6, y: normed },
        { isa, threads: 2 },
      )
      for (let r = 0; r < rows; r++) {
        const alone = emptyRows(kind, 1, dim)
        kernels.run('swiglu', { x: f32Rows(slice(x, r, dim * 2), dim * 2), y: alone }, { isa, threads: 1 })
        expect(valuesOf(alone, 0)).toEqual(valuesOf(together, r))
        kernels.run('rms_norm', { x: f32Rows(slice(x, r, dim), dim), w, eps: 1e-6, y: alone }, { isa, threads: 1 })
        expect(bytesOf(alone)).toEqual(
          bytesOf(normed).subarray(r * bytesOf(alone).length, (r + 1) * bytesOf(alone).length),
        )
      }
    }
  }
})

test.each(everyRun())(
  'embed reads rows of any format, and slots for tokens below 0 ($isa, $threads threads)',
  (run) => {
    const [vocab, dim] = [50, 64]
    const lastSampled = Int32Array.from([7, 49, 0])
    for (const rows of counts) {
      const tokens = Int32Array.from({ length: rows }, () => random.integer(-3, vocab - 1))
      const table = random.normals(vocab * dim)
      const q8 = new Uint8Array(((vocab * dim) / 32) * 34)
      for (let b = 0; b < (vocab * dim) / 32; b++) {
        q8[b * 34 + 1] = 0x3c // f16 1.0
        for (let i = 0; i < 32; i++) q8[b * 34 + 2 + i] = random.integer(0, 255)
      }
      const y = emptyRows(dtype.f32, rows, dim)
      kernels.run(
        'embed',
        { table: { data: table, dtype: dtype.f32, rows: vocab, cols: dim }, tokens, lastSampled, y },
        run,
      )
      const fromQ8 = emptyRows(dtype.f32, rows, dim)
      kernels.run(
        'embed',
        { table: { data: q8, dtype: dtype.q8_0, rows: vocab, cols: dim }, tokens, lastSampled, y: fromQ8 },
        run,
      )
      for (let r = 0; r < rows; r++) {
        const id = tokens[r]! < 0 ? lastSampled[-1 - tokens[r]!]! : tokens[r]!
        expect(f32Row(y, r)).toEqual(slice(table, id, dim))
        const expected = Float32Array.from(
          { length: dim },
          (_, i) => (q8[(id * 2 + (i >> 5)) * 34 + 2 + (i & 31)]! << 24) >> 24,
        )
        expect(f32Row(fromQ8, r)).toEqual(expected)
      }
    }
  },
)

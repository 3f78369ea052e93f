// The test addon (test/native/kernels.cc), typed, and the views that its ops take.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Random } from '../reference/numbers.ts'

export const dtype = { f32: 0, f16: 1, bf16: 2, q8_0: 3, q4_0: 4, q4_1: 5, act8: 16, kv8: 18 } as const
export const pageTokens = 32
export const splitTokens = 256

export type Data = Float32Array | Uint8Array | Int8Array | Int32Array

export interface Rows {
  data: Data
  dtype: number
  rows: number
  dim: number
  stride: number
}

export interface Sequences {
  start: Int32Array
  position: Int32Array
  blockStart: Int32Array
  blocks: Int32Array
}

export interface KvCache {
  data: Uint8Array
  dtype: number
  layers: number
  pages: number
  kvHeads: number
  headDim: number
}

export interface Run {
  isa: string
  threads: number
  repeat?: number
}

interface Kernels {
  isas(): string[]
  philox(words: Uint32Array): Uint32Array
  run(op: string, args: object, options: Run): number
}

export const kernels: Kernels = createRequire(__filename)(
  join(process.env['KVASIR_PREBUILD'] ?? join(__dirname, '../..'), 'build/test/kvasir_kernels.node'),
)
export const isas = kernels.isas()

/** A fresh seed for every run unless KVASIR_SEED repeats an old one; printed, so that a failure can be repeated. */
export function freshRandom(name: string): Random {
  const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`${name}: KVASIR_SEED=${seed}`)
  return new Random(seed)
}

export const strideOf = (kind: number, dim: number) =>
  (Math.ceil((kind === dtype.act8 ? dim + (dim / 32) * 8 : dim * 4) / 64) | 1) * 64

/** Rows of f32 with the stride that the engine gives them; the padding holds NaN. */
export function f32Rows(values: Float32Array, dim: number): Rows {
  const stride = strideOf(dtype.f32, dim)
  const rows = values.length / dim
  const data = new Float32Array((stride / 4) * rows).fill(Number.NaN)
  for (let r = 0; r < rows; r++) data.set(values.subarray(r * dim, (r + 1) * dim), (r * stride) / 4)
  return { data, dtype: dtype.f32, rows, dim, stride }
}

export function emptyRows(kind: number, rows: number, dim: number): Rows {
  const stride = strideOf(kind, dim)
  return { data: new Uint8Array(stride * rows).fill(0xff), dtype: kind, rows, dim, stride }
}

const at = (rows: Rows, row: number) => rows.data.byteOffset + row * rows.stride

export const f32Row = (rows: Rows, row: number) =>
  new Float32Array(rows.data.buffer as ArrayBuffer, at(rows, row), rows.dim)

export function act8Row(rows: Rows, row: number): { q: Int8Array; scale: Float32Array; sum: Int32Array } {
  const buffer = rows.data.buffer as ArrayBuffer
  const { dim } = rows
  return {
    q: new Int8Array(buffer, at(rows, row), dim),
    scale: new Float32Array(buffer, at(rows, row) + dim, dim / 32),
    sum: new Int32Array(buffer, at(rows, row) + dim + dim / 8, dim / 32),
  }
}

/** The values of a row of either kind. */
export function valuesOf(rows: Rows, row: number): Float32Array {
  if (rows.dtype === dtype.f32) return f32Row(rows, row)
  const { q, scale } = act8Row(rows, row)
  return Float32Array.from(q, (v, i) => v * scale[i >> 5]!)
}

/** The bytes that a kernel promises to write, without the padding. */
export function bytesOf(rows: Rows): Uint8Array {
  const width = rows.dtype === dtype.act8 ? rows.dim + rows.dim / 4 : rows.dim * 4
  const all = new Uint8Array(width * rows.rows)
  for (let r = 0; r < rows.rows; r++)
    all.set(new Uint8Array(rows.data.buffer as ArrayBuffer, at(rows, r), width), r * width)
  return all
}

/** Largest |a − b| over the largest |b|, so that it is a share of the row and not of a value near 0. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let error = 0
  let size = 1e-30
  for (let i = 0; i < b.length; i++) {
    const off = Math.abs(a[i]! - b[i]!)
    error = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(error, off)
    size = Math.max(size, Math.abs(b[i]!))
  }
  return error / size
}

/** Every instruction set with one, two and three threads. */
export function everyRun(): Run[] {
  return isas.flatMap((isa) => [1, 2, 3].map((threads) => ({ isa, threads })))
}

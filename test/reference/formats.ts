// What the bytes of a weight mean, one value at a time and by arithmetic on doubles: slow, and independent of
// native/formats. Every rounding to f32 that the contract asks for is an explicit Math.fround.
import { FORMATS, type WeightDtype } from '../../lib/weights/formats.ts'

const f = Math.fround

/** IEEE 754 binary16 by its definition. */
export function halfToNumber(half: number): number {
  const sign = half >= 0x8000 ? -1 : 1
  const exponent = Math.floor(half / 1024) % 32
  const fraction = half % 1024
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The nearest binary16 to x, ties to even, by looking at both neighbours. */
export function numberToHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  const magnitude = Math.abs(x)
  if (Number.isNaN(x)) return 0x7e00
  if (magnitude >= 65520) return sign + 0x7c00
  let low = 0
  let high = 0x7c00
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (halfToNumber(middle) <= magnitude) low = middle
    else high = middle
  }
  const below = magnitude - halfToNumber(low)
  const above = (high === 0x7c00 ? 65536 : halfToNumber(high)) - magnitude
  return sign + (below < above || (below === above && low % 2 === 0) ? low : high)
}

export function bfloatToNumber(half: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint16(0, half)
  return view.getFloat32(0)
}

/** Bits [first, first + count) of the bytes from `at`, read as one little-endian number. */
function bits(block: Uint8Array, at: number, first: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) {
    const bit = first + i
    value += ((block[at + (bit >> 3)]! >> (bit & 7)) & 1) * 2 ** i
  }
  return value
}

const half = (block: Uint8Array, at: number) => halfToNumber(block[at]! + 256 * block[at + 1]!)
const signed = (byte: number) => (byte > 127 ? byte - 256 : byte)
/** Value i of 32 whose nibbles begin at `at`. */
const nibble = (block: Uint8Array, at: number, i: number) => bits(block, at + (i % 16), i < 16 ? 0 : 4, 4)

/** Scale (or minimum) number `group` of the eight in a K-quant's 12 bytes. */
function sixBits(block: Uint8Array, group: number, minimum: boolean): number {
  const first = minimum ? 8 : 4
  if (group < 4) return bits(block, first + group, 0, 6)
  return bits(block, 12 + group - 4, minimum ? 4 : 0, 4) + 16 * bits(block, first + group - 4, 6, 2)
}

function kQuant(block: Uint8Array, i: number, low: number, high?: number): number {
  const group = Math.floor(i / 32)
  const byte = Math.floor(group / 2) * 32 + (i % 32)
  const q = bits(block, low + byte, (group % 2) * 4, 4) + (high ? 16 * bits(block, high + (i % 32), group, 1) : 0)
  const scale = f(half(block, 0) * sixBits(block, group, false))
  const min = f(half(block, 2) * sixBits(block, group, true))
  return f(f(scale * q) - min)
}

function q6k(block: Uint8Array, i: number): number {
  const part = Math.floor(i / 128)
  const run = Math.floor(i / 32) % 4
  const column = i % 32
  const low = bits(block, part * 64 + (run % 2) * 32 + column, run < 2 ? 0 : 4, 4)
  const q = low + 16 * bits(block, 128 + part * 32 + column, run * 2, 2) - 32
  return f(f(half(block, 208) * signed(block[192 + Math.floor(i / 16)]!)) * q)
}

/** Value i of one block. */
const value: Record<WeightDtype, (block: Uint8Array, i: number) => number> = {
  f32: (b) => new DataView(b.buffer, b.byteOffset).getFloat32(0, true),
  f16: (b) => half(b, 0),
  bf16: (b) => bfloatToNumber(b[0]! + 256 * b[1]!),
  q8_0: (b, i) => f(half(b, 0) * signed(b[2 + i]!)),
  q4_0: (b, i) => f(half(b, 0) * (nibble(b, 2, i) - 8)),
  q4_1: (b, i) => f(f(half(b, 0) * nibble(b, 4, i)) + half(b, 2)),
  q5_0: (b, i) => f(half(b, 0) * (nibble(b, 6, i) + 16 * bits(b, 2, i, 1) - 16)),
  q5_1: (b, i) => f(f(half(b, 0) * (nibble(b, 8, i) + 16 * bits(b, 4, i, 1))) + half(b, 2)),
  q4_k: (b, i) => kQuant(b, i, 16),
  q5_k: (b, i) => kQuant(b, i, 48, 16),
  q6_k: q6k,
}

/** All values of whole blocks. */
export function dequantize(dtype: WeightDtype, bytes: Uint8Array): Float32Array {
  const { values, bytes: size } = FORMATS[dtype]
  return Float32Array.from({ length: (bytes.length / size) * values }, (_, i) => {
    const block = Math.floor(i / values)
    return value[dtype](bytes.subarray(block * size, (block + 1) * size), i % values)
  })
}

// native/formats against test/reference/formats.ts: what bytes mean, bit by bit, and how well values are rounded.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { native } from '../../lib/native.ts'
import { FORMATS, type WeightDtype } from '../../lib/weights/formats.ts'
import { bfloatToNumber, dequantize, halfToNumber, numberToHalf } from '../reference/formats.ts'
import { random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const all = Object.keys(FORMATS) as WeightDtype[]
const quantised = all.filter((dtype) => FORMATS[dtype].values > 1)

/** Values per row of the tests: a whole number of blocks of every format. */
const COLS = 512

async function convert(bytes: Uint8Array, from: WeightDtype, to: WeightDtype, cols = COLS): Promise<Uint8Array> {
  const path = join(folder, 'rows.bin')
  writeFileSync(path, bytes)
  const file = native().openFile(path)
  try {
    const rows = bytes.length / ((cols / FORMATS[from].values) * FORMATS[from].bytes)
    const weight = { file, offset: 0, dtype: FORMATS[from].code, rows, cols }
    return await native().convert(weight, FORMATS[to].code, 0, rows)
  } finally {
    file.close()
  }
}

const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer)

/** Equal bit by bit, except that any NaN is a NaN. */
function expectSame(got: Float32Array, expected: Float32Array) {
  expect(got.length).toBe(expected.length)
  for (let i = 0; i < got.length; i++) {
    if (!Object.is(got[i], expected[i])) expect.fail(`value ${i} is ${got[i]}, expected ${expected[i]}`)
  }
}

describe('what the bytes of a weight mean', () => {
  test.each(all)('%s: random blocks, special scales included', async (dtype) => {
    const { values, bytes } = FORMATS[dtype]
    const blocks = (COLS / values) * 24
    const data = random(all.indexOf(dtype) + 1).bytes(blocks * bytes)
    const extremes = [0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00]
    for (const [i, half] of extremes.entries()) {
      const at = i * bytes + (dtype === 'q6_k' ? 208 : 0)
      data[at] = half & 255
      data[at + 1] = half >> 8
    }
    data.fill(0, 10 * bytes, 11 * bytes)
    data.fill(255, 11 * bytes, 12 * bytes)
    expectSame(floats(await convert(data, dtype, 'f32')), dequantize(dtype, data))
  })

  test('every f16 and every bf16', async () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const bytes = new Uint8Array(halves.buffer)
    expectSame(floats(await convert(bytes, 'f16', 'f32')), Float32Array.from(halves, halfToNumber))
    expectSame(floats(await convert(bytes, 'bf16', 'f32')), Float32Array.from(halves, bfloatToNumber))
    expect(Buffer.from(await convert(bytes, 'bf16', 'bf16')).equals(Buffer.from(bytes))).toBe(true)
  })
})

describe('rounding', () => {
  test('f32 to f16: nearest, ties to even', async () => {
    const rng = random(3)
    // Random bit patterns in and around the range of f16, then every midpoint between neighbours.
    const values = Float32Array.from({ length: 65536 }, () => rng.normal() * 2 ** (rng.below(44) - 26))
    const midpoints = Float32Array.from({ length: 31744 }, (_, i) => (halfToNumber(i) + halfToNumber(i + 1)) / 2)
    for (const set of [values, midpoints.subarray(0, 31232)]) {
      const got = new Uint16Array((await convert(bytesOf(Float32Array.from(set)), 'f32', 'f16')).buffer)
      for (const [i, half] of got.entries()) {
        if (half !== numberToHalf(set[i]!)) expect.fail(`${set[i]} became ${half}, expected ${numberToHalf(set[i]!)}`)
      }
    }
  })

  test('f32 to bf16: no neighbour is nearer', async () => {
    const rng = random(4)
    const values = Float32Array.from({ length: 8192 }, () => rng.normal() * 2 ** (rng.below(80) - 40))
    const got = new Uint16Array((await convert(bytesOf(values), 'f32', 'bf16')).buffer)
    for (const [i, half] of got.entries()) {
      const error = Math.abs(bfloatToNumber(half) - values[i]!)
      const neighbours = [half - 1, half + 1].map((other) => Math.abs(bfloatToNumber(other) - values[i]!))
      expect(error).toBeLessThanOrEqual(Math.min(...neighbours))
    }
  })

  // Relative root-mean-square error over normal values. The Python package gguf, which takes the largest magnitude or
  // the range without a search, gives q8_0 0.00536, q4_0 0.0859, q4_1 0.0782, q5_0 0.0427, q5_1 0.0379.
  const limits: Partial<Record<WeightDtype, number>> = {
    q8_0: 0.0054,
    q4_0: 0.082,
    q4_1: 0.0715,
    q5_0: 0.0408,
    q5_1: 0.0345,
    q4_k: 0.073,
    q5_k: 0.0365,
    q6_k: 0.0178,
  }
  test.each(quantised)('%s: error over normal values', async (dtype) => {
    const rng = random(5)
    const values = Float32Array.from({ length: COLS * 64 }, () => rng.normal() * 0.05)
    const back = dequantize(dtype, await convert(bytesOf(values), 'f32', dtype))
    let error = 0
    let power = 0
    for (const [i, value] of values.entries()) {
      error += (back[i]! - value) ** 2
      power += value ** 2
    }
    const relative = Math.sqrt(error / power)
    expect(relative).toBeLessThan(limits[dtype]!)
    expect(relative).toBeGreaterThan(limits[dtype]! * 0.9)
  })

  test.each(quantised)('%s: constants, zeros, outliers and the largest floats stay finite and near', async (dtype) => {
    const { values } = FORMATS[dtype]
    const rows: number[][] = [
      Array(COLS).fill(0),
      Array(COLS).fill(0.25),
      Array(COLS).fill(-3),
      Array.from({ length: COLS }, (_, i) => (i % values === 3 ? 1000 : 0.01)),
      Array.from({ length: COLS }, (_, i) => (i % 2 ? 1e-30 : -1e-30)),
      Array.from({ length: COLS }, (_, i) => (i % 2 ? 3e38 : -3e38)),
    ]
    const back = dequantize(dtype, await convert(bytesOf(Float32Array.from(rows.flat())), 'f32', dtype))
    expect(back.every(Number.isFinite)).toBe(true)
    const row = (n: number) => [...back.subarray(n * COLS, (n + 1) * COLS)]
    expect(row(0).every((value) => value === 0)).toBe(true)
    for (const value of row(1)) expect(Math.abs(value - 0.25)).toBeLessThan(0.01)
    for (const value of row(2)) expect(Math.abs(value + 3)).toBeLessThan(0.1)
    for (const [i, value] of row(3).entries()) {
      if (i % values === 3) expect(Math.abs(value - 1000)).toBeLessThan(70)
    }
    for (const value of row(4)) expect(Math.abs(value)).toBeLessThan(1e-6)
  })

  test.each(quantised)(
    '%s: what was quantised once is quantised again to nearly itself, and always the same',
    async (dtype) => {
      const rng = random(6)
      const values = Float32Array.from({ length: COLS * 4 }, () => rng.normal())
      const once = await convert(bytesOf(values), 'f32', dtype)
      expect(Buffer.from(await convert(bytesOf(values), 'f32', dtype)).equals(Buffer.from(once))).toBe(true)
      expect(Buffer.from(await convert(once, dtype, dtype)).equals(Buffer.from(once))).toBe(true)
    },
  )
})

describe('convert refuses', () => {
  const path = join(folder, 'small.bin')
  writeFileSync(path, new Uint8Array(new Float32Array([1, NaN, ...Array(62).fill(0)]).buffer))
  const attempt = (weight: object, to = 0, begin = 0, end = 1) => {
    const file = native().openFile(path)
    const whole = { file, offset: 0, dtype: 0, rows: 1, cols: 64, ...weight }
    return (async () => native().convert(whole, to, begin, end))().finally(() => file.close())
  }

  test.each([
    ['rows outside the file', { rows: 2 }, 0, 0, 2, 'KV_FORMAT'],
    ['sizes whose product overflows', { rows: 2 ** 52, cols: 2 ** 50 }, 0, 0, 1, 'KV_FORMAT'],
    ['an offset outside the file', { offset: 2 ** 40 }, 0, 0, 1, 'KV_FORMAT'],
    ['a negative offset', { offset: -1 }, 0, 0, 1, 'KV_ARGUMENT'],
    ['rows the wrong way round', {}, 0, 1, 0, 'KV_ARGUMENT'],
    ['rows beyond the matrix', {}, 0, 0, 2, 'KV_ARGUMENT'],
    ['broken blocks', { cols: 48 }, 3, 0, 1, 'KV_ARGUMENT'],
    ['a format that holds no weights', {}, 17, 0, 1, 'KV_ARGUMENT'],
    ['something that is no file', { file: {} }, 0, 0, 1, 'KV_ARGUMENT'],
    ['a NaN in a quantised format', {}, 3, 0, 1, 'KV_FORMAT'],
  ])('%s', async (_, weight, to, begin, end, code) => {
    await expect(attempt(weight, to, begin, end)).rejects.toMatchObject({ code })
  })
})

// What every reference needs: random inputs from a printed seed, and the few number formats of activations and KV.

/** Mulberry32: enough to fill a test's inputs. */
export class Random {
  readonly seed: number
  private state: number

  constructor(seed: number) {
    this.seed = seed >>> 0
    this.state = this.seed
  }

  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1))
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  normals(n: number, scale = 1): Float32Array {
    return Float32Array.from({ length: n }, () => this.normal() * scale)
  }
}

/** Round half to even, as the vector units do. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x)
  const rest = x - low
  if (rest !== 0.5) return Math.round(x)
  return low % 2 === 0 ? low : low + 1
}

/** s8 values with one scale: scale = max|x| / 127, q = round(x · (127 / max|x|)), all in f32. */
export function quantize(x: Float32Array): { q: Int8Array; scale: number } {
  let max = 0
  for (const v of x) max = Math.max(max, Math.abs(v))
  const scale = max < 1e-35 ? 0 : Math.fround(max / 127)
  const inverse = Math.fround(127 / max)
  const q = Int8Array.from(x, (v) => (max < 1e-35 ? 0 : roundHalfEven(Math.fround(v * inverse))))
  return { q, scale }
}

const word = new DataView(new ArrayBuffer(4))

/** The f32 whose bits are those of an f16. */
export function fromHalf(h: number): number {
  const sign = h & 0x8000 ? -1 : 1
  const exponent = (h >> 10) & 31
  const fraction = h & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
}

/** The nearest f16, ties to even. */
export function toHalf(x: number): number {
  word.setFloat32(0, x)
  const sign = (word.getUint32(0) >>> 16) & 0x8000
  const size = Math.abs(Math.fround(x))
  if (Number.isNaN(size)) return sign | 0x7e00
  if (size >= 65520) return sign | 0x7c00
  if (size < 2 ** -14) return sign | roundHalfEven(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  const fraction = roundHalfEven((size / 2 ** exponent) * 1024)
  return sign | ((exponent + 15) * 1024 + fraction - 1024)
}

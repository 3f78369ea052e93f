// Damaged copies of sound files.
import type { Random } from './random.ts'

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff]

/** One to four changes of the first `header` bytes: bits, bytes, extreme words, cuts, moved pieces. */
export function damage(sound: Buffer, header: number, rng: Random): Buffer {
  let bytes: Buffer = Buffer.from(sound)
  for (let changes = 1 + rng.below(4); changes > 0; changes--) {
    const at = rng.below(Math.min(header, bytes.length - 8))
    const kind = rng.below(6)
    if (kind === 0) bytes[at] = bytes[at]! ^ (1 << rng.below(8))
    else if (kind === 1) bytes[at] = rng.below(256)
    else if (kind === 2) bytes.writeUInt32LE(extremes[rng.below(extremes.length)]!, at)
    else if (kind === 3)
      bytes.writeBigUInt64LE(BigInt(extremes[rng.below(extremes.length)]!) << BigInt(rng.below(33)), at)
    else if (kind === 4) bytes.copyWithin(at, rng.below(bytes.length), rng.below(bytes.length))
    else if (rng.below(10) === 0) bytes = bytes.subarray(0, Math.max(16, rng.below(bytes.length)))
  }
  return bytes
}

const strange: readonly unknown[] = [
  ...[null, true, -1, 0, 1, 2, 3, 7, 0.5, 2 ** 20, 2 ** 31, 2 ** 53, 1e308, -1e308],
  ...['', 'x', '<|end|>', [], {}, [[]], [1], ['a', 'b'], { a: 1 }],
]

/** A copy of a JSON value in which one to three values have been replaced, taken from elsewhere, or left out. */
export function damageJson(sound: unknown, rng: Random): unknown {
  const whole = { sound: structuredClone(sound) }
  for (let changes = 1 + rng.below(3); changes > 0; changes--) {
    const [holder, key] = somewhere(whole, rng)
    const kind = rng.below(4)
    if (kind === 0 && holder !== whole) delete holder[key]
    else if (kind === 1) {
      const [from, name] = somewhere(whole, rng)
      holder[key] = structuredClone(from[name])
    } else holder[key] = structuredClone(strange[rng.below(strange.length)])
  }
  return whole.sound
}

type Holder = Record<string, unknown>

function somewhere(whole: Holder, rng: Random): [Holder, string] {
  for (let holder = whole; ; ) {
    const keys = Object.keys(holder)
    const key = keys[rng.below(keys.length)]!
    const value = holder[key]
    const enter = typeof value === 'object' && value !== null && Object.keys(value).length > 0 && rng.below(8) > 0
    if (!enter) return [holder, key]
    holder = value as Holder
  }
}

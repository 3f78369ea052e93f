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

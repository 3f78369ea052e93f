// Seeded random numbers for tests: mulberry32 by Tommy Ettinger (public domain).

export interface Random {
  seed: number
  /** Uniform in [0, 1). */
  next(): number
  /** Whole number in [0, n). */
  below(n: number): number
  /** Standard normal. */
  normal(): number
  bytes(n: number): Uint8Array
}

export function random(seed: number): Random {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    seed,
    next,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    bytes: (n) => Uint8Array.from({ length: n }, () => below(256)),
  }
}

// Hashes of texts that the prefix tree knew once, to tell why a lookup missed. A newer one takes the place of an older one;
// nothing but a count stands on them.
export class Ghosts {
  private readonly hashes: Uint32Array

  /** Room for about so many. */
  constructor(size: number) {
    this.hashes = new Uint32Array(2 ** Math.ceil(Math.log2(size)))
  }

  add(hash: number): void {
    this.hashes[hash & (this.hashes.length - 1)] = hash
  }

  has(hash: number): boolean {
    return this.hashes[hash & (this.hashes.length - 1)] === hash
  }
}

/** The hash of a text and of the first `count` of `tokens` behind it. */
export function chain(hash: number, tokens: Int32Array, count: number): number {
  for (let i = 0; i < count; i++) hash = mix(hash, tokens[i]!)
  return hash
}

/** The hash of a text of no tokens, under a salt. */
export function seed(salt: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < salt.length; i++) hash = mix(hash, salt.charCodeAt(i))
  return hash
}

const mix = (hash: number, x: number): number => {
  hash = Math.imul(hash ^ x, 0x9e3779b1)
  return (hash ^ (hash >>> 15)) >>> 0
}

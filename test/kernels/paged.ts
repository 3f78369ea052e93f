// A paged KV cache filled from TypeScript (native/ops/kv_cache.h). Pages are dealt in random order and every slot that
// is not written holds what reads as NaN.
import { fromHalf, quantize, type Random, toHalf } from '../reference/numbers.ts'
import { dtype, type KvCache, pageTokens, type Sequences } from './harness.ts'

export class PagedCache {
  readonly kv: KvCache
  private readonly free: number[]
  private readonly rowBytes: number
  private readonly headPageBytes: number

  constructor(kind: number, kvHeads: number, headDim: number, pages: number, random: Random, layers = 2) {
    this.rowBytes = kind === dtype.kv8 ? headDim : headDim * (kind === dtype.f32 ? 4 : 2)
    this.headPageBytes = pageTokens * (2 * this.rowBytes + (kind === dtype.kv8 ? 8 : 0))
    const data = new Uint8Array(this.headPageBytes * kvHeads * pages * layers).fill(0xff)
    this.kv = { data, dtype: kind, layers, pages, kvHeads, headDim }
    this.free = Array.from({ length: pages }, (_, i) => i)
    for (let i = pages - 1; i > 0; i--) {
      const j = random.integer(0, i)
      ;[this.free[i], this.free[j]] = [this.free[j]!, this.free[i]!]
    }
  }

  take(tokens: number): number[] {
    return this.free.splice(0, Math.ceil(tokens / pageTokens))
  }

  /** Writes a key (which = 0) or value (1) and returns what the cache now holds, as numbers. */
  write(layer: number, page: number, head: number, slot: number, which: number, x: Float32Array): Float64Array {
    const { data, dtype: kind, layers, kvHeads, headDim } = this.kv
    const base = ((page * layers + layer) * kvHeads + head) * this.headPageBytes
    const at = base + (which * pageTokens + slot) * this.rowBytes
    const view = new DataView(data.buffer)
    if (kind === dtype.f32) {
      for (let d = 0; d < headDim; d++) view.setFloat32(at + d * 4, x[d]!, true)
    } else if (kind === dtype.f16) {
      for (let d = 0; d < headDim; d++) view.setUint16(at + d * 2, toHalf(x[d]!), true)
    } else {
      const { q, scale } = quantize(x)
      for (let d = 0; d < headDim; d++) view.setInt8(base + this.byteOf(which, slot, d), q[d]!)
      view.setFloat32(base + 2 * pageTokens * headDim + (which * pageTokens + slot) * 4, scale, true)
    }
    return this.read(layer, page, head, slot, which)
  }

  read(layer: number, page: number, head: number, slot: number, which: number): Float64Array {
    const { data, dtype: kind, layers, kvHeads, headDim } = this.kv
    const base = ((page * layers + layer) * kvHeads + head) * this.headPageBytes
    const at = base + (which * pageTokens + slot) * this.rowBytes
    const view = new DataView(data.buffer)
    return Float64Array.from({ length: headDim }, (_, d) => {
      if (kind === dtype.f32) return view.getFloat32(at + d * 4, true)
      if (kind === dtype.f16) return fromHalf(view.getUint16(at + d * 2, true))
      const scale = view.getFloat32(base + 2 * pageTokens * headDim + (which * pageTokens + slot) * 4, true)
      return view.getInt8(base + this.byteOf(which, slot, d)) * scale
    })
  }

  // Where a byte of a kv8 key [dim / 4][32][4] or value [32 / 2][dim][2] lies in its head page.
  private byteOf(which: number, slot: number, d: number): number {
    if (which === 0) return Math.floor(d / 4) * 4 * pageTokens + slot * 4 + (d % 4)
    return pageTokens * this.kv.headDim + Math.floor(slot / 2) * 2 * this.kv.headDim + d * 2 + (slot % 2)
  }
}

export interface Member {
  position: number
  tokens: number
  pages: number[]
}

/** The packed description of a step. */
export function sequencesOf(members: Member[]): Sequences {
  const start = [0]
  const blockStart = [0]
  for (const m of members) {
    start.push(start.at(-1)! + m.tokens)
    blockStart.push(blockStart.at(-1)! + m.pages.length)
  }
  return {
    start: Int32Array.from(start),
    position: Int32Array.from(members, (m) => m.position),
    blockStart: Int32Array.from(blockStart),
    blocks: Int32Array.from(members.flatMap((m) => m.pages)),
  }
}

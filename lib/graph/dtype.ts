// Number formats of weights, activations and KV: the mirror of native/base/dtype.h. The values are part of the tape.

export const Dtype = {
  f32: 0,
  f16: 1,
  bf16: 2,
  q8_0: 3,
  q4_0: 4,
  q4_1: 5,
  q5_0: 6,
  q5_1: 7,
  q4_k: 8,
  q5_k: 9,
  q6_k: 10,
  act8: 16,
  i32: 17,
  kv8: 18,
} as const

export type DtypeName = keyof typeof Dtype
export type Dtype = (typeof Dtype)[DtypeName]

/** Values and bytes of one storage block; formats without blocks of their own (act8, kv8) are absent. */
export const blocks: { readonly [D in Dtype]?: { values: number; bytes: number } } = {
  [Dtype.f32]: { values: 1, bytes: 4 },
  [Dtype.f16]: { values: 1, bytes: 2 },
  [Dtype.bf16]: { values: 1, bytes: 2 },
  [Dtype.q8_0]: { values: 32, bytes: 34 },
  [Dtype.q4_0]: { values: 32, bytes: 18 },
  [Dtype.q4_1]: { values: 32, bytes: 20 },
  [Dtype.q5_0]: { values: 32, bytes: 22 },
  [Dtype.q5_1]: { values: 32, bytes: 24 },
  [Dtype.q4_k]: { values: 256, bytes: 144 },
  [Dtype.q5_k]: { values: 256, bytes: 176 },
  [Dtype.q6_k]: { values: 256, bytes: 210 },
  [Dtype.i32]: { values: 1, bytes: 4 },
}

const names = new Map<number, DtypeName>(Object.entries(Dtype).map(([name, value]) => [value, name as DtypeName]))

export const dtypeName = (dtype: number): string => names.get(dtype) ?? `dtype ${dtype}`

export const isQuantised = (dtype: Dtype): boolean => dtype >= Dtype.q8_0 && dtype <= Dtype.q6_k

/** Bytes of one row of `cols` values; cols is a multiple of the block. */
export function rowBytes(dtype: Dtype, cols: number): number {
  const block = blocks[dtype]
  if (!block || cols % block.values !== 0) throw new RangeError(`${dtypeName(dtype)} cannot hold rows of ${cols}`)
  return (cols / block.values) * block.bytes
}

/** Values that share one activation scale (native/ops/rows.h). */
export const GROUP = 32

/** Bytes from one row of activations to the next, as in native/ops/rows.h. */
export function activationStride(dtype: Dtype, cols: number): number {
  const bytes = dtype === Dtype.act8 ? cols + (cols / GROUP) * 8 : cols * 4
  return (Math.ceil(bytes / 64) | 1) * 64
}

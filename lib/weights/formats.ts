// Storage formats of weights: our code, GGUF's type number, and the size of a block.
import { KvasirError } from '../errors.ts'
import { blocks, Dtype } from '../graph/dtype.ts'

/** Type numbers of GGUF. */
const GGML = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q5_0: 6,
  q5_1: 7,
  q8_0: 8,
  q4_k: 12,
  q5_k: 13,
  q6_k: 14,
  bf16: 30,
} as const

export type WeightDtype = keyof typeof GGML

export interface WeightFormat {
  /** As in native/base/dtype.h. */
  code: Dtype
  /** Type number in GGUF files. */
  ggml: number
  /** Values and bytes of one block. */
  values: number
  bytes: number
}

export const FORMATS = Object.fromEntries(
  Object.entries(GGML).map(([name, ggml]) => {
    const code = Dtype[name as WeightDtype]
    return [name, { code, ggml, ...blocks[code] }]
  }),
) as Readonly<Record<WeightDtype, WeightFormat>>

const names = Object.keys(FORMATS) as WeightDtype[]
const byGgml = new Map(names.map((name) => [FORMATS[name].ggml, name]))

/** Names of GGUF types that exist but are not read here, so that the error can name them. */
const UNREAD: Readonly<Record<number, string>> = {
  9: 'q8_1',
  10: 'q2_K',
  11: 'q3_K',
  15: 'q8_K',
  16: 'iq2_xxs',
  17: 'iq2_xs',
  18: 'iq3_xxs',
  19: 'iq1_s',
  20: 'iq4_nl',
  21: 'iq3_s',
  22: 'iq2_s',
  23: 'iq4_xs',
  24: 'i8',
  25: 'i16',
  26: 'i32',
  27: 'i64',
  28: 'f64',
  29: 'iq1_m',
  34: 'tq1_0',
  35: 'tq2_0',
  39: 'mxfp4',
}

export function dtypeOfGgml(type: number, tensor: string): WeightDtype {
  const dtype = byGgml.get(type)
  if (dtype) return dtype
  const name = UNREAD[type]
  if (name)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `tensor ${tensor} is stored as ${name}; Kvasir reads ${names.join(', ')}: take the model in one of these formats`,
    )
  throw new KvasirError(
    'KV_FORMAT',
    `tensor ${tensor} has type ${type}, which GGUF does not define: the file is damaged`,
  )
}

export function isWeightDtype(name: string): name is WeightDtype {
  return Object.hasOwn(FORMATS, name)
}

/** Bytes of `shape` in `dtype`; rows (the last dimension) are whole blocks. */
export function bytesOf(dtype: WeightDtype, shape: readonly number[]): number {
  const { values, bytes } = FORMATS[dtype]
  return (shape.reduce((product, size) => product * size, 1) / values) * bytes
}

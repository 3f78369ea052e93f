// Storage formats of weights: our code (native/base/dtype.h), GGUF's type number, and the size of a block.
import { KvasirError } from '../errors.ts'

export type WeightDtype = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_0' | 'q4_1' | 'q5_0' | 'q5_1' | 'q4_k' | 'q5_k' | 'q6_k'

export interface WeightFormat {
  /** enum class Dtype of native/base/dtype.h. */
  code: number
  /** Type number in GGUF files. */
  ggml: number
  /** Values and bytes of one block. */
  values: number
  bytes: number
}

export const FORMATS: Readonly<Record<WeightDtype, WeightFormat>> = {
  f32: { code: 0, ggml: 0, values: 1, bytes: 4 },
  f16: { code: 1, ggml: 1, values: 1, bytes: 2 },
  bf16: { code: 2, ggml: 30, values: 1, bytes: 2 },
  q8_0: { code: 3, ggml: 8, values: 32, bytes: 34 },
  q4_0: { code: 4, ggml: 2, values: 32, bytes: 18 },
  q4_1: { code: 5, ggml: 3, values: 32, bytes: 20 },
  q5_0: { code: 6, ggml: 6, values: 32, bytes: 22 },
  q5_1: { code: 7, ggml: 7, values: 32, bytes: 24 },
  q4_k: { code: 8, ggml: 12, values: 256, bytes: 144 },
  q5_k: { code: 9, ggml: 13, values: 256, bytes: 176 },
  q6_k: { code: 10, ggml: 14, values: 256, bytes: 210 },
}

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

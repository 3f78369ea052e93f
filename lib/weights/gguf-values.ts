// Metadata values of GGUF as bytes: a type number, then the value. The writer's side of lib/weights/gguf.ts.
import { GgufType } from './gguf.ts'

export type GgufBytes = Uint8Array

const u32le = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const u64le = (value: number) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

/** Length and bytes, without a type. */
export function rawString(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([u64le(bytes.length), bytes])
}

/** Constructors of metadata values. */
export const ggufValue = {
  u32: (value: number): GgufBytes => Buffer.concat([u32le(GgufType.u32), u32le(value)]),
  f32: (value: number): GgufBytes => {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32LE(GgufType.f32)
    bytes.writeFloatLE(value, 4)
    return bytes
  },
  bool: (value: boolean): GgufBytes => Buffer.concat([u32le(GgufType.bool), Buffer.from([value ? 1 : 0])]),
  string: (value: string): GgufBytes => Buffer.concat([u32le(GgufType.string), rawString(value)]),
  strings: (values: readonly string[]): GgufBytes =>
    Buffer.concat([arrayHead(GgufType.string, values.length), ...values.map(rawString)]),
  i32s: (values: Int32Array): GgufBytes => Buffer.concat([arrayHead(GgufType.i32, values.length), bytesOf(values)]),
  f32s: (values: Float32Array): GgufBytes => Buffer.concat([arrayHead(GgufType.f32, values.length), bytesOf(values)]),
}

const arrayHead = (of: number, count: number) => Buffer.concat([u32le(GgufType.array), u32le(of), u64le(count)])
const bytesOf = (array: Int32Array | Float32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

export { u32le, u64le }

// Values of a checkpoint's tensors, re-coded by native code off the event loop.
import { fromNative } from '../errors.ts'
import { type NativeMatrix, native } from '../native.ts'
import type { Checkpoint } from './checkpoint.ts'
import { FORMATS, type WeightDtype } from './formats.ts'

/** Rows [begin, end) of a mapped matrix in another format. */
export async function convertRows(
  matrix: NativeMatrix,
  dtype: WeightDtype,
  begin: number,
  end: number,
): Promise<Uint8Array> {
  try {
    return await native().convert(matrix, FORMATS[dtype].code, begin, end)
  } catch (error) {
    throw fromNative(error)
  }
}

/** The same rows as numbers. */
export async function floatsOf(matrix: NativeMatrix, begin: number, end: number): Promise<Float32Array> {
  const bytes = await convertRows(matrix, 'f32', begin, end)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

/** Values of the tensor `name` as f32, or undefined where the checkpoint has none. */
export async function readFloats(checkpoint: Checkpoint, name: string): Promise<Float32Array | undefined> {
  const tensor = checkpoint.tensors.get(name)
  if (!tensor) return undefined
  const cols = tensor.shape.at(-1) ?? 1
  const rows = tensor.shape.reduce((product, size) => product * size, 1) / cols
  const file = native().openFile(tensor.file)
  try {
    return await floatsOf({ file, offset: tensor.offset, dtype: FORMATS[tensor.dtype].code, rows, cols }, 0, rows)
  } finally {
    file.close()
  }
}

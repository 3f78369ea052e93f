// The values of a small tensor as numbers, for what is decided in TypeScript.
import { native } from '../native.ts'
import type { Checkpoint } from './checkpoint.ts'
import { FORMATS } from './formats.ts'

/** Values of the tensor `name` as f32, or undefined where the checkpoint has none. Converted off the event loop. */
export async function readFloats(checkpoint: Checkpoint, name: string): Promise<Float32Array | undefined> {
  const tensor = checkpoint.tensors.get(name)
  if (!tensor) return undefined
  const cols = tensor.shape.at(-1) ?? 1
  const rows = tensor.shape.reduce((product, size) => product * size, 1) / cols
  const file = native().openFile(tensor.file)
  try {
    const weight = { file, offset: tensor.offset, dtype: FORMATS[tensor.dtype].code, rows, cols }
    const bytes = await native().convert(weight, FORMATS.f32.code, 0, rows)
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  } finally {
    file.close()
  }
}

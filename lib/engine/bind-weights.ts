// A checkpoint's tensors as the weights of a program: mapped where they lie, in the order of the tape. Only the small
// vectors that kernels read as f32 are converted, and only where the checkpoint has them otherwise.
import type { ProgramWeight } from '../compiler/weights.ts'
import { type NativeFile, type NativeWeight, native } from '../native.ts'
import { type Checkpoint, tensorOf } from '../weights/checkpoint.ts'
import { FORMATS } from '../weights/formats.ts'
import { floatsOf } from '../weights/read-tensor.ts'

const F32 = FORMATS.f32.code

export class CheckpointFiles {
  private readonly files = new Map<string, NativeFile>()

  open(path: string): NativeFile {
    const known = this.files.get(path)
    if (known) return known
    const file = native().openFile(path)
    this.files.set(path, file)
    return file
  }

  close(): void {
    for (const file of this.files.values()) file.close()
    this.files.clear()
  }
}

export function bindWeights(
  weights: readonly ProgramWeight[],
  checkpoint: Checkpoint,
  files: CheckpointFiles,
): Promise<NativeWeight[]> {
  return Promise.all(
    weights.map(async ({ name, rows, cols, need, data }) => {
      if (data) return { data, dtype: F32, rows, cols }
      const matrix = matrixOf(checkpoint, files, name, rows, cols)
      if (need !== 'f32' || matrix.dtype === F32) return matrix
      return { data: await floatsOf(matrix, 0, rows), dtype: F32, rows, cols }
    }),
  )
}

function matrixOf(checkpoint: Checkpoint, files: CheckpointFiles, name: string, rows: number, cols: number) {
  const known = checkpoint.tensors.get(name)
  const shape = rows === 1 && known?.shape.length === 1 ? [cols] : [rows, cols]
  const tensor = tensorOf(checkpoint, name, ...shape)
  return { file: files.open(tensor.file), offset: tensor.offset, dtype: FORMATS[tensor.dtype].code, rows, cols }
}

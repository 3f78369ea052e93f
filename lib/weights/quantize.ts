// Any checkpoint to a GGUF file in another format, a few rows at a time. Values are re-coded by native code off the
// event loop; here is decided what becomes what.
import { KvasirError } from '../errors.ts'
import { type NativeFile, native } from '../native.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, FORMATS, type WeightDtype } from './formats.ts'
import { ggufMetadata, ropeFrequencies } from './gguf-metadata.ts'
import { planQuantizing, type QuantizeJob } from './quantize-plan.ts'
import { convertRows } from './read-tensor.ts'
import { interleave } from './rope-rows.ts'
import { GgufWriter, type TensorPlan } from './write-gguf.ts'

/** Bytes of values that are converted, and held, at once. */
const CHUNK = 8 * 2 ** 20

export interface QuantizeOptions {
  signal?: AbortSignal
  /** Called with bytes of source weights done and in all. */
  onProgress?: (done: number, total: number) => void
  /** Called with a sentence for a person when something is not as simply asked for. */
  onNote?: (note: string) => void
}

/** Writes `checkpoint` to the GGUF file `output`, its matrices in `format`. */
export async function quantizeCheckpoint(
  checkpoint: Checkpoint,
  output: string,
  format: WeightDtype,
  { signal, onProgress, onNote = () => {} }: QuantizeOptions = {},
): Promise<void> {
  const jobs = planQuantizing(checkpoint, format, onNote)
  const total = jobs.reduce((sum, { from }) => sum + from.bytes, 0)
  const frequencies = checkpoint.kind === 'safetensors' ? ropeFrequencies(checkpoint.config) : null
  const extra: TensorPlan[] = frequencies
    ? [{ name: 'rope_freqs.weight', dtype: 'f32', shape: [frequencies.length] }]
    : []
  const metadata = await ggufMetadata(checkpoint, format)
  const files = new Map<string, NativeFile>()
  for (const { from } of jobs) if (!files.has(from.file)) files.set(from.file, native().openFile(from.file))

  const writer = await GgufWriter.create(output, metadata, [...extra, ...jobs])
  try {
    if (frequencies) await writer.write(new Uint8Array(frequencies.buffer))
    let done = 0
    for (const job of jobs) {
      for await (const [bytes, share] of convert(job, files.get(job.from.file)!)) {
        if (signal?.aborted) throw new KvasirError('KV_ABORTED', 'quantising was stopped')
        await writer.write(bytes)
        done += share
        onProgress?.(Math.round(done), total)
      }
    }
    await writer.finish()
  } catch (error) {
    await writer.discard()
    throw error
  } finally {
    for (const file of files.values()) file.close()
  }
}

/** The bytes of a tensor in its new format, in pieces, each with the bytes of the source that it took. */
async function* convert(
  { from, dtype, shape, heads }: QuantizeJob,
  file: NativeFile,
): AsyncGenerator<[Uint8Array, number]> {
  const cols = shape.at(-1)!
  const rows = shape.reduce((product, size) => product * size, 1) / cols
  const source = { file, offset: from.offset, dtype: FORMATS[from.dtype].code, rows, cols }
  const headRows = heads ? rows / heads : 1
  // A vector that belongs to interleaved rows is a matrix of one column here.
  if (heads && shape.length === 1) {
    const bytes = await convertRows({ ...source, rows: cols, cols: 1 }, dtype, 0, cols)
    yield [interleave(bytes, cols / heads), from.bytes]
    return
  }
  const atOnce = Math.max(1, Math.floor(CHUNK / (cols * 4) / headRows)) * headRows
  for (let begin = 0; begin < rows; begin += atOnce) {
    const end = Math.min(begin + atOnce, rows)
    const bytes = await convertRows(source, dtype, begin, end)
    const share = (from.bytes * (end - begin)) / rows
    yield [heads ? interleave(bytes, headRows, bytesOf(dtype, [cols])) : bytes, share]
  }
}

// Any checkpoint to a GGUF file in another format, a few rows at a time. Values are re-coded by native code off the
// event loop; here is decided what becomes what.
import { KvasirError } from '../errors.ts'
import { type NativeFile, native } from '../native.ts'
import type { Checkpoint, CheckpointTensor } from './checkpoint.ts'
import { bytesOf, FORMATS, type WeightDtype } from './formats.ts'
import { ggufArchitecture, ggufMetadata, ropeFrequencies } from './gguf-metadata.ts'
import { ggufName } from './names.ts'
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

interface Job extends TensorPlan {
  from: CheckpointTensor
  /** Heads whose rows must be interleaved, or 0. */
  heads: number
}

/** Writes `checkpoint` to the GGUF file `output`, its matrices in `format`. */
export async function quantizeCheckpoint(
  checkpoint: Checkpoint,
  output: string,
  format: WeightDtype,
  { signal, onProgress, onNote = () => {} }: QuantizeOptions = {},
): Promise<void> {
  const jobs = plan(checkpoint, format, onNote)
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

/** Bytes of the tensors that it would write. */
export function quantizedBytes(checkpoint: Checkpoint, format: WeightDtype): number {
  return plan(checkpoint, format, () => {}).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
}

function plan(checkpoint: Checkpoint, format: WeightDtype, note: (text: string) => void): Job[] {
  const { config, tensors } = checkpoint
  const permuted = checkpoint.kind === 'safetensors' && ggufArchitecture(config) === 'llama'
  const head = config.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const jobs: Job[] = []
  const fallbacks = new Map<string, string[]>()
  let twice = 0
  for (const from of tensors.values()) {
    const name = ggufName(from.name) ?? (checkpoint.kind === 'gguf' ? from.name : undefined)
    if (name === undefined) {
      note(`${from.name} is left out: GGUF has no name for it`)
      continue
    }
    const dtype = dtypeFor(from, format, from.name === head)
    if (dtype !== format && from.shape.length > 1) {
      const why = `${format} → ${dtype}`
      fallbacks.set(why, [...(fallbacks.get(why) ?? []), name])
    }
    if (FORMATS[from.dtype].values > 1 && FORMATS[dtype].values > 1 && from.dtype !== dtype) twice++
    const [, kind] = from.name.match(/self_attn\.([qk])_proj\./) ?? []
    const heads = kind === 'q' ? config.num_attention_heads : kind === 'k' ? config.num_key_value_heads : 0
    jobs.push({ name, dtype, shape: from.shape, from, heads: permuted ? heads : 0 })
  }
  for (const [why, names] of fallbacks)
    note(`${why} for ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`)
  if (twice) note(`${twice} tensors were quantised before and lose precision twice: start from 16 bits where you can`)
  return jobs
}

/** Vectors stay f32, rows are whole blocks, and the matrix that makes the logits keeps at least six bits. */
function dtypeFor({ shape }: CheckpointTensor, format: WeightDtype, makesLogits: boolean): WeightDtype {
  if (shape.length < 2) return 'f32'
  const fits = (dtype: WeightDtype) => shape.at(-1)! % FORMATS[dtype].values === 0
  const bits = (dtype: WeightDtype) => (FORMATS[dtype].bytes * 8) / FORMATS[dtype].values
  const wished = makesLogits && bits(format) < bits('q6_k') ? 'q6_k' : format
  return ([wished, 'q8_0'] as const).find(fits) ?? 'f16'
}

/** The bytes of a tensor in its new format, in pieces, each with the bytes of the source that it took. */
async function* convert({ from, dtype, shape, heads }: Job, file: NativeFile): AsyncGenerator<[Uint8Array, number]> {
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

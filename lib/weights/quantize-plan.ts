// What becomes of each tensor of a checkpoint that is written in another format: its name, its format, whether its rows are
// interleaved. Apart from quantize.ts, for load() asks only how many bytes it would be.
import type { Checkpoint, CheckpointTensor } from './checkpoint.ts'
import type { ModelConfig } from './config.ts'
import { bytesOf, FORMATS, type WeightDtype } from './formats.ts'
import { ggufName } from './names.ts'
import type { TensorPlan } from './write-gguf.ts'

export interface QuantizeJob extends TensorPlan {
  from: CheckpointTensor
  /** Heads whose rows must be interleaved, or 0. */
  heads: number
}

/** Bytes of the tensors that quantizeCheckpoint() would write. */
export function quantizedBytes(checkpoint: Checkpoint, format: WeightDtype): number {
  return planQuantizing(checkpoint, format, () => {}).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
}

export function planQuantizing(
  checkpoint: Checkpoint,
  format: WeightDtype,
  note: (text: string) => void,
): QuantizeJob[] {
  const { config, tensors } = checkpoint
  const permuted = checkpoint.kind === 'safetensors' && ggufArchitecture(config) === 'llama'
  const head = config.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const jobs: QuantizeJob[] = []
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

/** Mistral has no architecture of its own in GGUF. */
export function ggufArchitecture(config: ModelConfig): string {
  return config.model_type === 'mistral' ? 'llama' : config.model_type
}

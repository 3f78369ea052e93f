// A checkpoint, whatever its file format: what the model is, how text becomes ids, and where each weight lies.
// Nothing of the weights is read; they are mapped by native code later.
import { KvasirError } from '../errors.ts'
import type { TokenizerSource } from '../native.ts'
import type { ModelConfig } from './config.ts'
import type { WeightDtype } from './formats.ts'

export interface CheckpointTensor {
  /** As in Hugging Face checkpoints: model.layers.0.self_attn.q_proj.weight. */
  name: string
  dtype: WeightDtype
  /** Rows first: [out, in] for a linear layer. */
  shape: number[]
  /** Path of the file that holds it. */
  file: string
  offset: number
  bytes: number
}

/** What createTokenizer() needs, with the path of a file in place of the mapped file. */
export type CheckpointTokenizer = Omit<TokenizerSource, 'file'> & { path: string }

export interface Checkpoint {
  /** The file or folder that was opened. */
  path: string
  kind: 'gguf' | 'safetensors'
  /** The name that the file gives itself, or its base name. */
  name: string
  config: ModelConfig
  tokenizer: CheckpointTokenizer
  /** Jinja source, or null where the checkpoint brings none. */
  chatTemplate: string | null
  /** Ids that end an answer. */
  stopTokens: number[]
  /** What is doubtful about it, in sentences for people. */
  warnings: string[]
  /** By name. May hold rope_freqs.weight, GGUF's divisors of the rotary frequencies. */
  tensors: Map<string, CheckpointTensor>
}

/** The tensor `name`, which must have this shape and lie where kernels can read it in the mapped file. */
export function tensorOf(checkpoint: Checkpoint, name: string, ...shape: number[]): CheckpointTensor {
  const tensor = checkpoint.tensors.get(name)
  if (!tensor) throw new KvasirError('KV_FORMAT', `${checkpoint.path} has no tensor ${name}: it is incomplete`)
  if (tensor.shape.join() !== shape.join())
    throw new KvasirError(
      'KV_FORMAT',
      `${checkpoint.path}: tensor ${name} has shape ${tensor.shape.join(' × ')}, expected ${shape.join(' × ')}`,
    )
  // Blocks of every other format begin with 16 bits.
  const alignment = tensor.dtype === 'f32' ? 4 : 2
  if (tensor.offset % alignment !== 0)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${tensor.file}: tensor ${name} lies at byte ${tensor.offset}, not a multiple of ${alignment}: rewrite the file, for example with kvasir quantize`,
    )
  return tensor
}

/** Vocabulary rows of the embedding, which no config is trusted to know better. */
export function vocabularyOf(path: string, tensors: Map<string, { shape: number[] }>): number {
  const rows = tensors.get('model.embed_tokens.weight')?.shape[0]
  if (rows === undefined)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${path} has no token embedding: it is not a language model that Kvasir knows`,
    )
  return rows
}

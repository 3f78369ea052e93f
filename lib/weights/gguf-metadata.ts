// The metadata with which a checkpoint becomes a GGUF file: copied from a GGUF, composed from a Hugging Face folder.
import { KvasirError } from '../errors.ts'
import { openForReading, readExactly } from './byte-reader.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { ModelConfig } from './config.ts'
import type { WeightDtype } from './formats.ts'
import { readGguf } from './gguf.ts'
import { tokenizerMetadata } from './gguf-tokenizer.ts'
import { type GgufBytes, ggufValue } from './gguf-values.ts'
import { ggufArchitecture } from './quantize-plan.ts'

/** Numbers of general.file_type. */
const FILE_TYPES: Readonly<Record<WeightDtype, number>> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q8_0: 7,
  q5_0: 8,
  q5_1: 9,
  q4_k: 15,
  q5_k: 17,
  q6_k: 18,
  bf16: 32,
}

/** Everything but general.alignment; general.file_type says `format`. */
export async function ggufMetadata(checkpoint: Checkpoint, format: WeightDtype): Promise<Map<string, GgufBytes>> {
  const metadata = checkpoint.kind === 'gguf' ? await copied(checkpoint.path) : await composed(checkpoint)
  metadata.delete('general.alignment')
  metadata.set('general.file_type', ggufValue.u32(FILE_TYPES[format]))
  metadata.set('general.quantization_version', ggufValue.u32(2))
  return metadata
}

async function copied(path: string): Promise<Map<string, GgufBytes>> {
  const { metadata } = await readGguf(path)
  const file = await openForReading(path)
  try {
    const result = new Map<string, GgufBytes>()
    for (const [key, { offset, bytes }] of metadata) {
      const value = new Uint8Array(bytes)
      await readExactly(file, path, value, offset)
      result.set(key, value)
    }
    return result
  } finally {
    await file.close()
  }
}

async function composed({ path, name, config, tokenizer, chatTemplate }: Checkpoint): Promise<Map<string, GgufBytes>> {
  const architecture = ggufArchitecture(config)
  const metadata = new Map<string, GgufBytes>([
    ['general.architecture', ggufValue.string(architecture)],
    ['general.name', ggufValue.string(name)],
  ])
  const u32 = (key: string, value: number) => metadata.set(`${architecture}.${key}`, ggufValue.u32(value))
  const f32 = (key: string, value: number) => metadata.set(`${architecture}.${key}`, ggufValue.f32(value))
  u32('vocab_size', config.vocab_size)
  u32('context_length', config.max_position_embeddings)
  u32('embedding_length', config.hidden_size)
  u32('block_count', config.num_hidden_layers)
  u32('feed_forward_length', config.intermediate_size)
  u32('attention.head_count', config.num_attention_heads)
  u32('attention.head_count_kv', config.num_key_value_heads)
  u32('attention.key_length', config.head_dim)
  u32('attention.value_length', config.head_dim)
  f32('attention.layer_norm_rms_epsilon', config.rms_norm_eps)
  if (config.sliding_window) u32('attention.sliding_window', config.sliding_window)
  u32('rope.dimension_count', config.head_dim)
  f32('rope.freq_base', config.rope_theta)

  const scaling = config.rope_scaling
  // llama3 is told by the tensor rope_freqs.weight (ropeFrequencies).
  if (scaling && scaling.rope_type !== 'llama3') {
    if (scaling.rope_type !== 'linear' && scaling.rope_type !== 'yarn')
      throw new KvasirError('KV_UNSUPPORTED', `${path}: GGUF cannot tell rope scaling of type ${scaling.rope_type}`)
    metadata.set(`${architecture}.rope.scaling.type`, ggufValue.string(scaling.rope_type))
    f32('rope.scaling.factor', scaling.factor!)
    const original = scaling.original_max_position_embeddings
    if (original) u32('rope.scaling.original_context_length', original)
    if (scaling.attention_factor) f32('rope.scaling.attn_factor', scaling.attention_factor)
  }
  for (const [key, value] of await tokenizerMetadata(tokenizer, config.vocab_size)) metadata.set(key, value)
  if (chatTemplate !== null) metadata.set('tokenizer.chat_template', ggufValue.string(chatTemplate))
  return metadata
}

/**
 * The divisors of the rotary frequencies, [head_dim / 2], for a checkpoint scaled as Llama 3.1 is: long wavelengths
 * by `factor`, short ones not, and a straight transition between. Null for any other.
 */
export function ropeFrequencies({ rope_scaling: scaling, head_dim, rope_theta }: ModelConfig): Float32Array | null {
  if (scaling?.rope_type !== 'llama3') return null
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: context } = scaling
  if (!factor || !low || !high || !context) return null // checkConfig() saw them
  return Float32Array.from({ length: head_dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * rope_theta ** ((2 * i) / head_dim)
    if (wavelength < context / high) return 1
    if (wavelength > context / low) return factor
    const smooth = (context / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

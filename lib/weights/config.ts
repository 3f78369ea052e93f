// A model's configuration with the field names of Hugging Face's config.json, whatever file it came from.
import { KvasirError } from '../errors.ts'

/** How positions beyond the trained context are scaled; fields as in config.json. */
export interface RopeScaling {
  rope_type: string
  factor?: number
  original_max_position_embeddings?: number
  low_freq_factor?: number
  high_freq_factor?: number
  attention_factor?: number
  beta_fast?: number
  beta_slow?: number
  mscale?: number
  mscale_all_dim?: number
}

export interface ModelConfig {
  model_type: string
  hidden_size: number
  intermediate_size: number
  num_hidden_layers: number
  num_attention_heads: number
  num_key_value_heads: number
  head_dim: number
  vocab_size: number
  rms_norm_eps: number
  rope_theta: number
  rope_scaling: RopeScaling | null
  max_position_embeddings: number
  sliding_window: number | null
  tie_word_embeddings: boolean
  attention_bias: boolean
  /**
   * True where a rotary pair is two neighbours (2i, 2i + 1) of a head, as in GGUF files of the llama architecture,
   * whose q and k rows were permuted for it; false where it is (i, i + head_dim / 2).
   */
  rope_interleaved: boolean
}

/** Architectures whose weights and wiring are known here. */
export const MODEL_TYPES: readonly string[] = ['llama', 'mistral', 'qwen2', 'qwen3']

/** Throws KV_UNSUPPORTED or KV_FORMAT, naming `source`, unless every field makes sense. */
export function checkConfig(config: ModelConfig, source: string): ModelConfig {
  if (!MODEL_TYPES.includes(config.model_type))
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${source} is a model of type ${JSON.stringify(config.model_type)}; Kvasir runs ${MODEL_TYPES.join(', ')}`,
    )
  const whole = (name: keyof ModelConfig, most: number) => {
    const value = config[name]
    if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > most)
      throw new KvasirError('KV_FORMAT', `${source}: ${name} is ${value}, expected a whole number from 1 to ${most}`)
  }
  whole('hidden_size', 2 ** 17)
  whole('intermediate_size', 2 ** 20)
  whole('num_hidden_layers', 1024)
  whole('num_attention_heads', 1024)
  whole('num_key_value_heads', config.num_attention_heads)
  whole('head_dim', 1024)
  whole('vocab_size', 2 ** 24)
  whole('max_position_embeddings', 2 ** 30)
  if (config.sliding_window !== null) whole('sliding_window', 2 ** 30)

  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim } = config
  if (heads % kvHeads !== 0)
    throw new KvasirError('KV_FORMAT', `${source}: ${heads} attention heads cannot share ${kvHeads} key-value heads`)
  if (head_dim % 2 !== 0)
    throw new KvasirError('KV_FORMAT', `${source}: head_dim is ${head_dim}, expected an even number`)
  if (!(config.rms_norm_eps > 0 && config.rms_norm_eps < 1))
    throw new KvasirError('KV_FORMAT', `${source}: rms_norm_eps is ${config.rms_norm_eps}, expected between 0 and 1`)
  if (!(config.rope_theta > 0 && config.rope_theta < Infinity))
    throw new KvasirError('KV_FORMAT', `${source}: rope_theta is ${config.rope_theta}, expected a positive number`)
  checkScaling(config.rope_scaling, source)
  return config
}

const SCALING_NEEDS: ReadonlyMap<string, readonly (keyof RopeScaling)[]> = new Map([
  ['linear', ['factor']],
  ['dynamic', ['factor']],
  ['yarn', ['factor']],
  ['llama3', ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings']],
])

function checkScaling(scaling: RopeScaling | null, source: string): void {
  if (!scaling) return
  const needs = SCALING_NEEDS.get(scaling.rope_type)
  if (!needs)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${source}: rope scaling of type ${JSON.stringify(scaling.rope_type)}; Kvasir knows ${[...SCALING_NEEDS.keys()].join(', ')}`,
    )
  for (const name of needs) {
    const value = scaling[name]
    if (typeof value !== 'number' || !(value > 0 && value < Infinity))
      throw new KvasirError('KV_FORMAT', `${source}: rope_scaling.${name} is ${value}, expected a positive number`)
  }
}

// Hugging Face's config.json to ModelConfig: defaults of the architecture filled in, features we lack refused.
import { KvasirError } from '../errors.ts'
import { checkConfig, MODEL_TYPES, type ModelConfig, type RopeScaling } from './config.ts'

/** Fields as they were written; `vocabulary` and `hasHead` are what the tensors say. */
export function configOf(
  json: Record<string, unknown>,
  source: string,
  vocabulary: number,
  hasHead: boolean,
): ModelConfig {
  refuse(json, source)
  const number = (name: string): number | undefined => {
    const value = json[name] ?? undefined
    if (value === undefined || typeof value === 'number') return value
    throw new KvasirError('KV_FORMAT', `${source}: ${name} is ${JSON.stringify(value)}, expected a number`)
  }
  const need = (name: string): number => {
    const value = number(name)
    if (value === undefined) throw new KvasirError('KV_FORMAT', `${source} has no ${name}: it is incomplete`)
    return value
  }
  const model_type = String(json['model_type'])
  const hidden_size = need('hidden_size')
  const num_attention_heads = need('num_attention_heads')
  // Newer files keep everything rotary in one object.
  const rope = (json['rope_parameters'] ?? json['rope_scaling'] ?? null) as Record<string, unknown> | null
  const slides = model_type === 'mistral' || json['use_sliding_window'] === true
  return checkConfig(
    {
      model_type,
      hidden_size,
      intermediate_size: need('intermediate_size'),
      num_hidden_layers: need('num_hidden_layers'),
      num_attention_heads,
      num_key_value_heads: number('num_key_value_heads') ?? num_attention_heads,
      head_dim: number('head_dim') ?? hidden_size / num_attention_heads,
      vocab_size: vocabulary,
      rms_norm_eps: number('rms_norm_eps') ?? 1e-6,
      rope_theta: number('rope_theta') ?? Number(rope?.['rope_theta'] ?? 10_000),
      rope_scaling: scalingOf(rope),
      max_position_embeddings: number('max_position_embeddings') ?? 2048,
      sliding_window: slides ? (number('sliding_window') ?? null) : null,
      tie_word_embeddings: json['tie_word_embeddings'] === true || !hasHead,
      attention_bias: model_type === 'qwen2' || json['attention_bias'] === true,
      rope_interleaved: false,
    },
    source,
  )
}

function refuse(json: Record<string, unknown>, source: string): void {
  const unsupported = (what: string) => new KvasirError('KV_UNSUPPORTED', `${source}: ${what}`)
  if (!MODEL_TYPES.includes(String(json['model_type'])))
    throw unsupported(`model_type ${JSON.stringify(json['model_type'])}; Kvasir runs ${MODEL_TYPES.join(', ')}`)
  if (json['quantization_config'])
    throw unsupported('weights quantised for another engine (quantization_config); take the original or a GGUF file')
  if (json['mlp_bias'] === true) throw unsupported('mlp_bias, which Kvasir has no layer for')
  const activation = json['hidden_act'] ?? 'silu'
  if (activation !== 'silu') throw unsupported(`hidden_act ${JSON.stringify(activation)}, expected "silu"`)
  const partial = json['partial_rotary_factor'] ?? 1
  if (partial !== 1) throw unsupported(`partial_rotary_factor ${JSON.stringify(partial)}, expected 1`)
}

function scalingOf(rope: Record<string, unknown> | null): RopeScaling | null {
  const rope_type = rope?.['rope_type'] ?? rope?.['type'] ?? 'default'
  if (rope === null || rope_type === 'default') return null
  const { type: _, rope_theta: __, ...fields } = rope
  return { ...fields, rope_type: String(rope_type) }
}

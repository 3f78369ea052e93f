// Configs small enough to read the whole program of, and the formats of a checkpoint by pattern.
import { Dtype } from '../../lib/graph/dtype.ts'
import type { Symbols } from '../../lib/graph/shape.ts'
import type { ModelConfig } from '../../lib/weights/config.ts'

export function tiny(changes: Partial<ModelConfig> = {}): ModelConfig {
  return {
    model_type: 'llama',
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    vocab_size: 50,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    rope_scaling: null,
    max_position_embeddings: 256,
    sliding_window: null,
    tie_word_embeddings: true,
    attention_bias: false,
    rope_interleaved: false,
    ...changes,
  }
}

export const limits: Symbols = { T: 48, S: 4, L: 6, B: 64 }

/** The format of the first pattern that the name contains, else q8_0; norms and biases are f32. */
export function formatsOf(...patterns: [RegExp, Dtype][]): (name: string) => Dtype {
  return (name) => {
    if (/norm|bias|inv_freq/.test(name)) return Dtype.f32
    return patterns.find(([pattern]) => pattern.test(name))?.[1] ?? Dtype.q8_0
  }
}

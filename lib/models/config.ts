// The configuration that a model's graph is built from: the field names of Hugging Face's config.json, whatever file
// it came from.

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
  /** A rotary pair is two neighbours (2i, 2i + 1) of a head, as in GGUF's llama; else (i, i + head_dim / 2). */
  rope_interleaved: boolean
}

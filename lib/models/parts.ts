// What the architectures share. A block is attention, then an MLP, each on a normed copy of the residual stream h.
import { KvasirError } from '../errors.ts'
import type { Graph, Rotary, Tensor } from '../graph/graph.ts'
import { add, embed, linear, mul, pagedAttention, pool, rmsNorm, rope, rows, sample, silu } from '../graph/ops.ts'
import type { ModelConfig } from '../weights/config.ts'
import { ropeParameters } from './rope.ts'

/** What a program gives back: logits and a token of each chosen row, or one vector of each sequence. */
export type Output = 'generate' | 'embed-mean' | 'embed-last'

/** A model writes its graph into `g`. */
export type Model = (g: Graph, config: ModelConfig, options: ModelOptions) => void

export interface ModelOptions {
  output: Output
  /** Divisors of the rotary frequencies: a GGUF file's rope_freqs.weight. */
  ropeFactors?: Float32Array
}

export interface AttentionVariant {
  layer: number
  rotary: Rotary
  /** q, k and v have biases. */
  qkvBias?: boolean
  /** The output projection has one. */
  outBias?: boolean
  /** Each head of q and k is normed before it is rotated. */
  qkNorm?: boolean
  /** A query sees only so many positions back; 0: all. */
  window?: number
}

export const embedding = (g: Graph, c: ModelConfig) =>
  g.weight('model.embed_tokens.weight', c.vocab_size, c.hidden_size)

export function rotaryOf(g: Graph, c: ModelConfig, factors?: Float32Array): Rotary {
  const { invFreq, scale } = ropeParameters(c, factors)
  return { invFreq: g.constant('rope.inv_freq', invFreq), scale, headDim: c.head_dim, interleaved: c.rope_interleaved }
}

/** For architectures that slide their window in some layers only, which no released checkpoint switches on. */
export function refuseWindow(c: ModelConfig): void {
  if (c.sliding_window !== null)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${c.model_type} with use_sliding_window (${c.sliding_window}); Kvasir runs it with full attention only`,
    )
}

/** Tokens → h [T, hidden]. */
export const embedTokens = (g: Graph, c: ModelConfig): Tensor => embed(g, embedding(g, c))

export const norm = (g: Graph, c: ModelConfig, name: string, x: Tensor): Tensor =>
  rmsNorm(x, g.weight(`${name}.weight`, c.hidden_size), c.rms_norm_eps)

/** x · Wᵀ (+ bias) with the checkpoint's two names. */
export function projection(g: Graph, name: string, x: Tensor, rows: number, bias = false): Tensor {
  return linear(x, g.weight(`${name}.weight`, rows, x.cols), bias ? g.weight(`${name}.bias`, rows) : null)
}

export function attention(g: Graph, c: ModelConfig, x: Tensor, variant: AttentionVariant): Tensor {
  const { layer, rotary, qkvBias, outBias, qkNorm, window = 0 } = variant
  const heads = c.num_attention_heads
  const kvHeads = c.num_key_value_heads
  const headNorm = (name: string, t: Tensor) =>
    qkNorm ? rmsNorm(t, g.weight(`${name}.weight`, c.head_dim), c.rms_norm_eps) : t

  const q = headNorm('q_norm', projection(g, 'q_proj', x, heads * c.head_dim, qkvBias))
  const k = headNorm('k_norm', projection(g, 'k_proj', x, kvHeads * c.head_dim, qkvBias))
  const v = projection(g, 'v_proj', x, kvHeads * c.head_dim, qkvBias)

  const shape = { layer, heads, kvHeads, headDim: c.head_dim, scale: c.head_dim ** -0.5, window }
  const y = pagedAttention(rope(q, rotary), rope(k, rotary), v, shape)
  return projection(g, 'o_proj', y, c.hidden_size, outBias)
}

/** SwiGLU (arXiv 2002.05202). */
export function mlp(g: Graph, c: ModelConfig, x: Tensor): Tensor {
  const gate = projection(g, 'gate_proj', x, c.intermediate_size)
  const up = projection(g, 'up_proj', x, c.intermediate_size)
  return projection(g, 'down_proj', mul(silu(gate), up), c.hidden_size)
}

/** One layer of the pre-norm family. */
export function block(g: Graph, c: ModelConfig, h: Tensor, variant: AttentionVariant): Tensor {
  const attended = add(h, attention(g.scope('self_attn'), c, norm(g, c, 'input_layernorm', h), variant))
  return add(attended, mlp(g.scope('mlp'), c, norm(g, c, 'post_attention_layernorm', attended)))
}

/** h → what the program is for. Only the rows that are sampled from reach the vocabulary. */
export function head(g: Graph, c: ModelConfig, h: Tensor, output: Output): void {
  if (output !== 'generate') {
    pool(norm(g, c, 'model.norm', h), output === 'embed-mean' ? 'mean' : 'last')
    return
  }
  const x = norm(g, c, 'model.norm', rows(h))
  const table = c.tie_word_embeddings ? embedding(g, c) : g.weight('lm_head.weight', c.vocab_size, c.hidden_size)
  sample(linear(x, table))
}

// Names of tensors: those of GGUF files and those of Hugging Face checkpoints, which the rest of Kvasir uses.
// Both lists are the layout of Llama, Mistral, Qwen 2 and Qwen 3.

const GLOBAL = new Map([
  ['token_embd', 'model.embed_tokens'],
  ['output_norm', 'model.norm'],
  ['output', 'lm_head'],
])

const LAYER = new Map([
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['attn_q_norm', 'self_attn.q_norm'],
  ['attn_k_norm', 'self_attn.k_norm'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['ffn_gate', 'mlp.gate_proj'],
  ['ffn_up', 'mlp.up_proj'],
  ['ffn_down', 'mlp.down_proj'],
])

const invert = (map: Map<string, string>) => new Map([...map].map(([gguf, huggingFace]) => [huggingFace, gguf]))
const GLOBAL_GGUF = invert(GLOBAL)
const LAYER_GGUF = invert(LAYER)

/** blk.3.attn_q.weight → model.layers.3.self_attn.q_proj.weight. A name that is in no list stays as it is. */
export function huggingFaceName(gguf: string): string {
  const [, layer, name, kind] = gguf.match(/^(?:blk\.(\d+)\.)?([a-z_]+)\.(weight|bias)$/) ?? []
  if (!name) return gguf
  const known = layer === undefined ? GLOBAL.get(name) : LAYER.get(name)
  if (!known) return gguf
  return layer === undefined ? `${known}.${kind}` : `model.layers.${layer}.${known}.${kind}`
}

/** The reverse of huggingFaceName, or undefined for a tensor that GGUF has no name for. */
export function ggufName(huggingFace: string): string | undefined {
  const [, layer, name, kind] = huggingFace.match(/^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/) ?? []
  if (!name) return undefined
  const known = layer === undefined ? GLOBAL_GGUF.get(name) : LAYER_GGUF.get(name)
  if (!known) return undefined
  return layer === undefined ? `${known}.${kind}` : `blk.${layer}.${known}.${kind}`
}

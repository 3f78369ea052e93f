// Tiny random checkpoints as Hugging Face folders, for tests that need a whole model and no meaning.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bfloatToNumber, halfToNumber, numberToHalf } from '../reference/formats.ts'
import { random } from './random.ts'

export type Tensors = Record<string, { shape: number[]; values: Float32Array }>

export interface TinyOptions {
  seed?: number
  /** Fields of config.json over the defaults. */
  config?: Record<string, unknown>
  /** Weights files; more than one makes an index. */
  shards?: number
  dtype?: 'F32' | 'F16' | 'BF16'
}

/** hidden 64, 2 layers, 4 heads of 16 over 2 key-value heads, MLP 96, 300 tokens, byte-level BPE. */
export const tinyConfig = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 300,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  max_position_embeddings: 256,
  tie_word_embeddings: false,
  bos_token_id: 298,
  eos_token_id: 299,
}

/** Writes the folder and returns what its weights are, as they were rounded for the file. */
export function writeTinyFolder(folder: string, options: TinyOptions = {}): Tensors {
  const { seed = 1, shards = 1, dtype = 'F32' } = options
  const config = { ...tinyConfig, ...options.config }
  const tensors = tinyTensors(config, seed)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tinyTokenizer()))
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ add_bos_token: true, chat_template: '{{ messages[0].content }}' }),
  )
  const names = Object.keys(tensors)
  if (shards === 1) writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors, dtype))
  else {
    const weight_map: Record<string, string> = {}
    for (let i = 0; i < shards; i++) {
      const file = `model-0000${i + 1}-of-0000${shards}.safetensors`
      const mine = names.filter((_, at) => at % shards === i)
      for (const name of mine) weight_map[name] = file
      writeFileSync(join(folder, file), safetensors(Object.fromEntries(mine.map((n) => [n, tensors[n]!])), dtype))
    }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }))
  }
  return tensors
}

function tinyTensors(config: typeof tinyConfig, seed: number): Tensors {
  const rng = random(seed)
  const { hidden_size: hidden, intermediate_size: mlp, num_attention_heads: heads, vocab_size: vocabulary } = config
  const kv = (hidden / heads) * config.num_key_value_heads
  const tensors: Tensors = {}
  const add = (name: string, ...shape: number[]) => {
    const count = shape.reduce((product, size) => product * size, 1)
    tensors[name] = { shape, values: Float32Array.from({ length: count }, () => rng.normal() * 0.1) }
  }
  add('model.embed_tokens.weight', vocabulary, hidden)
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`
    add(`${at}.input_layernorm.weight`, hidden)
    for (const [name, rows] of Object.entries({ q_proj: hidden, k_proj: kv, v_proj: kv })) {
      add(`${at}.self_attn.${name}.weight`, rows, hidden)
      if (config.model_type === 'qwen2') add(`${at}.self_attn.${name}.bias`, rows)
    }
    if (config.model_type === 'qwen3')
      for (const n of ['q_norm', 'k_norm']) add(`${at}.self_attn.${n}.weight`, hidden / heads)
    add(`${at}.self_attn.o_proj.weight`, hidden, hidden)
    add(`${at}.post_attention_layernorm.weight`, hidden)
    add(`${at}.mlp.gate_proj.weight`, mlp, hidden)
    add(`${at}.mlp.up_proj.weight`, mlp, hidden)
    add(`${at}.mlp.down_proj.weight`, hidden, mlp)
  }
  add('model.norm.weight', hidden)
  if (!config.tie_word_embeddings) add('lm_head.weight', vocabulary, hidden)
  return tensors
}

/** The bytes of a safetensors file. Rounds the values in place, so that the caller knows what is in the file. */
export function safetensors(tensors: Tensors, dtype: 'F32' | 'F16' | 'BF16' = 'F32'): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Buffer[] = []
  let offset = 0
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const bytes = encode(values, dtype)
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
    parts.push(bytes)
  }
  return safetensorsFile(header, Buffer.concat(parts))
}

export function safetensorsFile(header: object, data: Uint8Array): Buffer {
  // As real writers do, so that the data is aligned.
  const text = JSON.stringify(header)
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

function encode(values: Float32Array, dtype: 'F32' | 'F16' | 'BF16'): Buffer {
  const bytes = Buffer.alloc(values.length * (dtype === 'F32' ? 4 : 2))
  for (const [i, value] of values.entries()) {
    if (dtype === 'F32') bytes.writeFloatLE(value, i * 4)
    else {
      // bf16 is cut, not rounded: any value with seven bits of fraction serves.
      const half = dtype === 'F16' ? numberToHalf(value) : new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16
      bytes.writeUInt16LE(half, i * 2)
      values[i] = dtype === 'F16' ? halfToNumber(half) : bfloatToNumber(half)
    }
  }
  return bytes
}

/** Byte-level BPE with a few merges: ids 0…255 are bytes, 256…297 merges of letters, 298 and 299 special. */
export function tinyTokenizer() {
  const alphabet = byteAlphabet()
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const merges = Array.from({ length: 42 }, (_, i) => [letters[i % 26]!, letters[(i * 7 + (i < 26 ? 1 : 3)) % 26]!])
  const vocab = Object.fromEntries(
    [...alphabet, ...merges.map((pair) => pair.join(''))].map((token, id) => [token, id]),
  )
  return {
    version: '1.0',
    added_tokens: [
      { id: 298, content: '<|begin|>', special: true },
      { id: 299, content: '<|end|>', special: true },
    ],
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: { type: 'ByteLevel' },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', unk_token: null, byte_fallback: false, vocab, merges },
  }
}

/** The 256 characters that stand for bytes in byte-level BPE: printable ones for themselves, others from U+0100 on. */
function byteAlphabet(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(printable ? byte : next++)
  })
}

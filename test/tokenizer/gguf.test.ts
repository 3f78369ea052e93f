// Tokenizers from GGUF tables: SentencePiece by scores, byte-level by merges, and the names of pre-tokenizers.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { FuzzText } from './fuzz-text.ts'
import { stringTable, tablesFile } from './gguf-tables.ts'
import { isAgreed, oracleOf, packagePath } from './vocabularies.ts'

const folder = temporaryFolder()
const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
const count = Number(process.env['KVASIR_FUZZ'] ?? 300)
console.log(`gguf: KVASIR_SEED=${seed}`)

const tokensOf = (vocab: Record<string, number>) => {
  const tokens: string[] = []
  for (const [token, id] of Object.entries(vocab)) tokens[id] = token
  return tokens
}

describe('llama: SentencePiece by scores', () => {
  const json = JSON.parse(readFileSync(packagePath('llama2'), 'utf8'))
  const tokens = tokensOf(json.model.vocab)
  // SentencePiece scores a token by when training found it: the order of the merges.
  const found = new Map<string, number>()
  for (const [rank, merge] of json.model.merges.entries()) {
    const token = merge.replace(' ', '')
    if (!found.has(token)) found.set(token, rank)
  }
  const source = {
    kind: 'gguf' as const,
    model: 'llama',
    ...tablesFile(folder, stringTable(tokens), tokens.length),
    scores: Float32Array.from(tokens, (token) => -(found.get(token) ?? 1e6)),
    types: Int32Array.from(tokens, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
    bos: 1,
    eos: 2,
    unknown: 0,
  }

  it('gives the ids that merges would', async () => {
    const tokenizer = await createTokenizer(source)
    const oracle = oracleOf(json)
    const fuzz = new FuzzText(seed, ['<s>', '</s>'], isAgreed)
    for (let i = 0; i < count; i++) {
      const text = fuzz.next()
      const ids = [...(await tokenizer.encode(text, true, true))]
      expect(ids, `text ${i}: ${JSON.stringify(text)}`).toEqual(oracle(text))
    }
  })

  it('adds BOS unless it is told not to, and EOS when it is told to', async () => {
    const ids = async (options: object) => [...(await (await createTokenizer({ ...source, ...options })).encode('a'))]
    const [a] = (await ids({ addBos: false })) as [number]
    expect(tokens[a]).toBe('▁a')
    expect(await ids({})).toEqual([1, a])
    expect(await ids({ addBos: true, addEos: true })).toEqual([1, a, 2])
  })

  it('puts no space before the text when it is told not to', async () => {
    const tokenizer = await createTokenizer({ ...source, addBos: false, addSpacePrefix: false })
    const ids = await tokenizer.encode('a b')
    expect([...ids].map((id) => tokens[id])).toEqual(['a', '▁b'])
    expect(tokenizer.decode(await tokenizer.encode(' a'))).toBe(' a')
  })
})

describe('gpt2: bytes and merges', () => {
  const words = ['Ġ', 'a', 'b', 'c', 'ab', 'Ġab', 'abc', '1', '2', '12', '<|x|>', '<y>']
  const merges = ['a b', 'Ġ ab', 'ab c', '1 2']
  const source = {
    kind: 'gguf' as const,
    model: 'gpt2',
    pre: 'gpt-2',
    ...tablesFile(folder, stringTable(words), words.length, stringTable(merges), merges.length),
    types: Int32Array.from(words, (word) => (word === '<|x|>' ? 3 : word === '<y>' ? 4 : 1)),
    bos: 10,
  }
  const spell = async (text: string, options: object, parse = true) => {
    const tokenizer = await createTokenizer({ ...source, ...options })
    return [...(await tokenizer.encode(text, true, parse))].map((id) => words[id])
  }

  it('merges by rank, inside words', async () => {
    expect(await spell('abc ab abcab', {})).toEqual(['abc', 'Ġab', 'Ġab', 'c', 'ab'])
    expect(await spell('12', {})).toEqual(['12'])
  })

  it('follows the pre-tokenizer', async () => {
    expect(await spell('12', { pre: 'smollm' })).toEqual(['1', '2'])
    expect(await spell('12 abc', { pre: 'llama-bpe' })).toEqual(['<|x|>', '12', 'Ġab', 'c'])
    expect(await spell('12', { pre: 'llama-bpe', addBos: false })).toEqual(['12'])
    expect(await spell('12', { pre: 'qwen2' })).toEqual(['1', '2'])
    for (const pre of ['deepseek-llm', 'deepseek-coder', 'tekken'])
      expect(await spell('12', { pre })).toEqual(['1', '2'])
    expect(await spell('12', { pre: 'deepseek-v3' })).toEqual(['12'])
    for (const pre of ['default', '']) expect(await spell('12 abc', { pre })).toEqual(['12', 'Ġab', 'c'])
    await expect(spell('12', { pre: 'nobody-knows' })).rejects.toMatchObject({
      code: 'KV_UNSUPPORTED',
      message: expect.stringContaining('nobody-knows'),
    })
  })

  it('reads control tokens when asked, symbols of the user always', async () => {
    expect(await spell('a<|x|>b<y>c', {})).toEqual(['a', '<|x|>', 'b', '<y>', 'c'])
    expect(await spell('a<|x|>b<y>c', {}, false)).toEqual(['a', 'b', '<y>', 'c'])
  })

  it('tells what is special, and what is written how', async () => {
    const tokenizer = await createTokenizer(source)
    expect(words.map((_, id) => tokenizer.isSpecial(id))).toEqual(words.map((word) => word === '<|x|>'))
    expect(words.map((word) => tokenizer.idOf(word))).toEqual(words.map((_, id) => id))
    expect([tokenizer.idOf('zzz'), tokenizer.idOf(''), tokenizer.vocabSize]).toEqual([-1, -1, words.length])
    expect(tokenizer.decode(Int32Array.of(10, 6, 5, -1, 99))).toBe('abc ab')
    expect(tokenizer.decode(Int32Array.of(10, 6), true)).toBe('<|x|>abc')
  })
})

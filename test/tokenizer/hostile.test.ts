// Files that are broken on purpose give our errors, never a crash and never a wrong type; so do wrong arguments.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { KvasirError } from '../../lib/errors.ts'
import { native, type TokenizerSource } from '../../lib/native.ts'
import { createTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { type Random, random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { stringTable, tablesFile } from './gguf-tables.ts'
import { openJson, smallJson } from './small.ts'

const folder = temporaryFolder()
const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
const count = Number(process.env['KVASIR_FUZZ'] ?? 2000)
console.log(`hostile: KVASIR_SEED=${seed}`)

const texts = ['a b <s> é', '\u0000\u0301\uac00\u11a8', '▁▁ 12 <0x0A>']

/** Loads and uses a tokenizer. True when it loaded; false when a KvasirError said why not. */
async function survives(open: () => Promise<Awaited<ReturnType<typeof createTokenizer>>>): Promise<boolean> {
  try {
    const tokenizer = await open()
    for (const text of texts) tokenizer.decode(await tokenizer.encode(text, true, true), true)
    tokenizer.idOf('a')
    return true
  } catch (error) {
    if (!(error instanceof KvasirError)) throw error
    expect(['KV_FORMAT', 'KV_UNSUPPORTED', 'KV_ARGUMENT']).toContain(error.code)
    return false
  }
}

function mutate(bytes: Uint8Array, r: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = r.below(copy.length)
  switch (r.below(5)) {
    case 0:
      copy[at] = r.below(256)
      return copy
    case 1:
      return copy.subarray(0, at)
    case 2: {
      const end = Math.min(copy.length, at + 1 + r.below(40))
      return Buffer.concat([copy.subarray(0, at), copy.subarray(end)])
    }
    case 3: {
      const piece = copy.subarray(at, Math.min(copy.length, at + 1 + r.below(60)))
      const to = r.below(copy.length)
      return Buffer.concat([copy.subarray(0, to), piece, copy.subarray(to)])
    }
    default: {
      const tokens = ['null', '-1', '1e99', '[]', '{}', '""', 'true', '99999999999999999999', '"\\ud800"', '[[[[']
      return Buffer.concat([copy.subarray(0, at), Buffer.from(tokens[r.below(tokens.length)]!), copy.subarray(at)])
    }
  }
}

describe('tokenizer.json', () => {
  const regex = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  const rich = {
    added_tokens: [
      { id: 0, content: '<s>', special: true, lstrip: true, rstrip: true, normalized: false },
      { id: 9, content: 'é', special: false, normalized: true, single_word: true },
    ],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Lowercase' },
        { type: 'Prepend', prepend: 'a' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        { type: 'Strip', strip_left: true, strip_right: true },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: regex }, behavior: 'MergedWithNext', invert: true },
        { type: 'Digits', individual_digits: true },
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<s>',
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: { '<s>': 0, '▁': 1, a: 2, b: 3, ab: 4, '▁ab': 5, '<0x0A>': 6, '1': 7, '\u00e9': 8 },
      merges: ['a b', ['▁', 'ab']],
    },
  }

  it('is sound before it is broken', async () => {
    expect(await survives(() => openJson(folder, rich))).toBe(true)
  })

  it(`survives ${count} mutations`, async () => {
    const r = random(seed)
    const bytes = Buffer.from(JSON.stringify(rich))
    const path = join(folder, 'mutated.json')
    let refused = 0
    for (let i = 0; i < count; i++) {
      let mutated: Uint8Array = bytes
      for (let times = 1 + r.below(3); times > 0 && mutated.length > 0; times--) mutated = mutate(mutated, r)
      writeFileSync(path, mutated.length > 0 ? mutated : ' ') // a file that is empty cannot be mapped
      const file = native().openFile(path)
      if (!(await survives(() => createTokenizer({ kind: 'json', file })))) refused++
      file.close()
    }
    expect(refused).toBeGreaterThan(count / 2)
  })

  it.each([
    [' ', 'KV_FORMAT'],
    ['[', 'KV_FORMAT'],
    ['{"a":1,}', 'KV_FORMAT'],
    ['{"a":01}', 'KV_FORMAT'],
    ['{"a":"\t"}', 'KV_FORMAT'],
    ['{"a":"\\x"}', 'KV_FORMAT'],
    ['{"a":"\\udc00"}', 'KV_FORMAT'],
    ['{} {}', 'KV_FORMAT'],
    ['123', 'KV_FORMAT'],
    ['['.repeat(100_000), 'KV_FORMAT'],
    ['{"model":{"type":"Unigram"}}', 'KV_UNSUPPORTED'],
  ])('refuses %.20s', async (text, code) => {
    await expect(openJson(folder, text)).rejects.toMatchObject({ code })
  })

  it.each([
    [{ pre: [{ type: 'Split', pattern: { Regex: '[a-z]+' }, behavior: 'Isolated' }] }, '[a-z]+'],
    [{ pre: [{ type: 'BertPreTokenizer' }] }, 'BertPreTokenizer'],
    [{ normalizer: { type: 'NFKC' } }, 'NFKC'],
    [{ normalizer: { type: 'Replace', pattern: { Regex: ' +' }, content: '' } }, ' +'],
    [{ post: { type: 'RobertaProcessing' } }, 'RobertaProcessing'],
  ])('names what it does not know: %o', async (parts, name) => {
    await expect(openJson(folder, smallJson(parts))).rejects.toMatchObject({
      code: 'KV_UNSUPPORTED',
      message: expect.stringContaining(name),
    })
  })
})

describe('GGUF tables', () => {
  const tokens = ['<unk>', '<s>', '▁', 'a', 'b', 'ab', '▁ab', '<0x0A>', 'Ġ', 'Ġa', '1']
  const merges = ['a b', 'Ġ a']
  const base = {
    kind: 'gguf' as const,
    types: Int32Array.from([2, 3, 1, 1, 1, 1, 1, 6, 1, 1, 1]),
    scores: Float32Array.from(tokens, (_, i) => -i),
    unknown: 0,
    bos: 1,
  }

  it(`survives ${count} mutations`, async () => {
    const r = random(seed)
    const numbers = [-1, 0, 1, 3, 11, 255, 2 ** 31, 2 ** 53 - 1]
    const pick = () => numbers[r.below(numbers.length)]!
    let refused = 0
    for (let i = 0; i < count; i++) {
      let tokenBytes = stringTable(tokens)
      let mergeBytes = stringTable(merges)
      const kind = r.below(6)
      if (kind === 0) tokenBytes = mutate(tokenBytes, r)
      if (kind === 1) mergeBytes = mutate(mergeBytes, r)
      const tables = tablesFile(folder, tokenBytes, tokens.length, mergeBytes, merges.length)
      const source: TokenizerSource = { ...base, ...tables, model: r.below(2) ? 'gpt2' : 'llama', pre: 'llama-bpe' }
      if (kind === 2) source.tokens![(['offset', 'count', 'bytes'] as const)[r.below(3)]!] = pick()
      if (kind === 3) source.merges![(['offset', 'count', 'bytes'] as const)[r.below(3)]!] = pick()
      if (kind === 4) source.types = Int32Array.from(base.types, (type) => (r.below(4) ? type : r.below(9) - 1))
      if (kind === 5) source[(['bos', 'eos', 'unknown'] as const)[r.below(3)]!] = pick()
      if (!(await survives(() => createTokenizer(source)))) refused++
      source.file.close()
    }
    expect(refused).toBeGreaterThan(count / 10)
    expect(refused).toBeLessThan(count)
  })

  it('refuses scores and types that do not fit', async () => {
    const source = { ...base, model: 'llama', ...tablesFile(folder, stringTable(tokens), tokens.length) }
    await expect(createTokenizer({ ...source, scores: new Float32Array(3) })).rejects.toMatchObject({
      code: 'KV_FORMAT',
    })
    await expect(createTokenizer({ ...source, types: new Int32Array(3) })).rejects.toMatchObject({ code: 'KV_FORMAT' })
    const scores = base.scores.map((score, i) => (i === 4 ? Number.NaN : score))
    await expect(createTokenizer({ ...source, scores })).rejects.toMatchObject({ code: 'KV_FORMAT' })
    await expect(createTokenizer({ ...source, model: 'bert' })).rejects.toMatchObject({ code: 'KV_UNSUPPORTED' })
  })
})

describe('arguments', () => {
  it('refuses what is not a source', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
    for (const source of [undefined, 1, {}, { kind: 'gguf' }, { kind: 'x', file: {} }] as any[])
      await expect(createTokenizer(source)).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
  })

  it('refuses what is not text or ids', async () => {
    const tokenizer = await openJson(folder, smallJson({}))
    // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
    await expect(tokenizer.encode(1 as any)).rejects.toBeInstanceOf(KvasirError)
    // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
    for (const ids of [[1], 'a', new Float32Array(1), undefined] as any[])
      expect(() => tokenizer.decode(ids)).toThrow(expect.objectContaining({ code: 'KV_ARGUMENT' }))
  })

  it('makes U+FFFD of lone surrogates', async () => {
    const tokenizer = await openJson(folder, smallJson({}))
    expect(tokenizer.decode(await tokenizer.encode('a\ud800b\udc00', false))).toBe('▁a\ufffdb\ufffd')
  })

  it('encodes off the event loop, many texts at once', async () => {
    const tokenizer = await openJson(folder, smallJson({}))
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => tokenizer.encode(`text ${i}`, false)))
    expect(all.map((ids) => tokenizer.decode(ids))).toEqual(all.map((_, i) => `▁text▁${i}`))
  })
})

// The parts of tokenizer.json around the model: normalizers, pre-tokenizers, added tokens, ends.
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary.ts'
import { FuzzText } from './fuzz-text.ts'
import { openJson, smallJson, wordsOf } from './small.ts'
import { isAgreed, oracleOf } from './vocabularies.ts'

const folder = temporaryFolder()
const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
const count = Number(process.env['KVASIR_FUZZ'] ?? 300)
console.log(`parts: KVASIR_SEED=${seed}`)

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const prefix = String.raw`[^\r\n\p{L}\p{N}]?`
const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const tail = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`
const PATTERNS: Record<string, string> = {
  gpt2: String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  llama3: String.raw`${contractions}|${prefix}\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${tail}`,
  qwen2: String.raw`${contractions}|${prefix}\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${tail}`,
  qwen35: String.raw`${contractions}|${prefix}[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${tail}`,
  gpt4o: String.raw`${prefix}${upper}*${lower}+${contractions}?|${prefix}${upper}+${lower}*${contractions}?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${tail}`,
  tekken: String.raw`${prefix}${upper}*${lower}+|${prefix}${upper}+${lower}*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${tail}`,
  'deepseek words':
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
  'deepseek words, breaks escaped':
    String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${tail}`.replace(
      '\\x60',
      '`',
    ),
  'deepseek 3 cjk': '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
  'deepseek cjk': '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+',
  'deepseek letters':
    '\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-' +
    '\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-' +
    '\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf' +
    '\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-' +
    '\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc' +
    '\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115' +
    '\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e' +
    '\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-' +
    '\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a' +
    '\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}' +
    '\u{118a0}-\u{118df}\u{1e900}-\u{1e943}]+',
  'deepseek punctuation': '\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+',
  'coder letters': String.raw`\s?\p{L}+`,
  'coder punctuation': String.raw`\s?\p{P}+`,
  newline: '[\r\n]',
  number: String.raw`\p{N}`,
  numbers: String.raw`\p{N}+`,
  'numbers by three': String.raw`\p{N}{1,3}`,
  spaces: String.raw`\s+`,
}

const splitBy = (Regex: string, behavior = 'Isolated', invert = false) => ({
  type: 'Split',
  pattern: { Regex },
  behavior,
  invert,
})

async function expectOracle(json: object, codes: (code: number) => boolean = isAgreed): Promise<void> {
  const tokenizer = await openJson(folder, json)
  const oracle = oracleOf(json)
  const fuzz = new FuzzText(seed, [], codes)
  for (let i = 0; i < count; i++) {
    const text = fuzz.next()
    expect([...(await tokenizer.encode(text))], `text ${i}: ${JSON.stringify(text)}`).toEqual(oracle(text))
  }
}

describe('split patterns', () => {
  it.each(Object.entries(PATTERNS))('%s', (_, pattern) => expectOracle(smallJson({ pre: [splitBy(pattern)] })))

  it('spaces at the end of a line', () =>
    expectOracle(smallJson({ pre: [splitBy(PATTERNS['newline']!), splitBy(String.raw`\s+$`)] })))

  it('several in a row', () =>
    expectOracle(smallJson({ pre: [splitBy(PATTERNS['number']!), splitBy(PATTERNS['gpt2']!)] })))

  it('matches alone, when the rest is removed', () =>
    expectOracle(smallJson({ pre: [splitBy(PATTERNS['coder letters']!, 'Removed', true)] })))

  it('the rest alone, when matches are removed', () =>
    expectOracle(smallJson({ pre: [splitBy(PATTERNS['spaces']!, 'Removed')] })))

  // As the documentation of Hugging Face tokenizers has it.
  it.each([
    ['Removed', ['the', 'final', 'countdown']],
    ['Isolated', ['the', '-', 'final', '-', '-', 'countdown']],
    ['MergedWithPrevious', ['the-', 'final-', '-', 'countdown']],
    ['MergedWithNext', ['the', '-final', '-', '-countdown']],
    ['Contiguous', ['the', '-', 'final', '--', 'countdown']],
  ])('%s', async (behavior, words) => {
    const pattern = { String: '-' }
    const tokenizer = await openJson(folder, smallJson({ pre: [{ type: 'Split', pattern, behavior, invert: false }] }))
    expect(await wordsOf(tokenizer, 'the-final--countdown')).toEqual(words)
  })

  it.each([
    [{ type: 'Digits', individual_digits: true }, 'ab12٣c', ['ab', '1', '2', '٣', 'c']],
    [{ type: 'Digits', individual_digits: false }, 'ab12c', ['ab', '12', 'c']],
    [{ type: 'Punctuation', behavior: 'Isolated' }, 'a,b…c', ['a', ',', 'b', '…', 'c']],
    [{ type: 'Whitespace' }, 'é_1\t?!\nb', ['é_1', '?!', 'b']],
    [{ type: 'WhitespaceSplit' }, 'a?\t\u3000b', ['a?', 'b']],
  ])('%o', async (step, text, words) => {
    expect(await wordsOf(await openJson(folder, smallJson({ pre: [step] })), text)).toEqual(words)
  })
})

describe('normalizers', () => {
  it('NFC of every character and of marks in any order', async () => {
    const tokenizer = await openJson(folder, smallJson({ normalizer: { type: 'NFC' } }))
    const marks = '\u0323\u0301\u0334\u0345\u0300\u05b0\u3099\u0308\u094d\u1161\u11a8'
    const lines: string[] = []
    for (let code = 0xa0; code < 0x110000; code++) {
      if ((code >= 0xd800 && code <= 0xdfff) || code === 0x2581 || !isAgreed(code)) continue
      if (code > 0x3ffff && code % 977) continue // planes without characters: a sample
      lines.push(`${String.fromCodePoint(code)}${marks[code % 11]}${marks[(code >> 4) % 11]}`)
    }
    const found = tokenizer
      .decode(await tokenizer.encode(lines.join('\n'), false))
      .slice(1)
      .split('\n')
    expect(found.length).toBe(lines.length)
    for (const [i, line] of lines.entries())
      if (found[i] !== line.normalize('NFC')) expect(found[i], JSON.stringify(line)).toBe(line.normalize('NFC'))
  })

  it.each([
    [{ type: 'Lowercase' }, 'ÀÉΑΒΣΔЖİ', 'àéαβσδжi̇'],
    [{ type: 'Strip', strip_left: true, strip_right: false }, '\t\u00a0a\n', 'a\n'],
    [{ type: 'Strip', strip_left: true, strip_right: true }, '\u0085a\u2003', 'a'],
    [{ type: 'Prepend', prepend: 'x' }, 'abc', 'xabc'],
    [{ type: 'Replace', pattern: { String: 'aa' }, content: 'b' }, 'aaaacaa', 'bbcb'],
    [{ type: 'Sequence', normalizers: [{ type: 'Lowercase' }, { type: 'Prepend', prepend: '_' }] }, 'AB', '_ab'],
  ])('%o', async (normalizer, text, expected) => {
    const tokenizer = await openJson(folder, smallJson({ normalizer }))
    expect(tokenizer.decode(await tokenizer.encode(text, false))).toBe(`▁${expected}`)
  })
})

describe('added tokens', () => {
  const token = (content: string, id: number, rest: object = {}) => ({ content, id, special: true, ...rest })
  const idsOf = async (added: object[], text: string, normalizer?: object) => {
    const tokenizer = await openJson(folder, smallJson({ added, ...(normalizer && { normalizer }) }))
    return tokenizer.decode(await tokenizer.encode(text, false, true), true)
  }

  it('takes the longest, from left to right', async () => {
    const added = [token('<a', 300), token('<a>', 301), token('a>b', 302)]
    expect(await idsOf(added, 'x<a>by<ay')).toBe('▁x<a>▁by<a▁y')
  })

  it('takes spaces with it', async () => {
    const added = [token('<l>', 300, { lstrip: true }), token('<r>', 301, { rstrip: true })]
    expect(await idsOf(added, 'x\t\u3000<l>\ty\n<r>\n\u00a0z')).toBe('▁x<l>▁\ty\n<r>▁z')
  })

  it('stands alone where it is a word', async () => {
    expect(await idsOf([token('is', 300, { single_word: true })], 'this-is_is-is')).toBe('▁this-is_is-is')
    expect(await idsOf([token('i', 300, { single_word: true })], 'i-i')).toBe('i▁-i')
  })

  it('is found in normalised text', async () => {
    const added = [{ content: 'NO', id: 300, special: false, normalized: true }]
    expect(await idsOf(added, 'xNOyno', { type: 'Lowercase' })).toBe('▁xNO▁yNO')
  })
})

describe('ends', () => {
  const added = [
    { content: '<s>', id: 300, special: true },
    { content: '</s>', id: 301, special: true },
  ]
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const post = {
    type: 'TemplateProcessing',
    single: [special('<s>'), { Sequence: { id: 'A', type_id: 0 } }, special('</s>')],
    special_tokens: { '<s>': { id: '<s>', ids: [300], tokens: [] }, '</s>': { id: '</s>', ids: [301], tokens: [] } },
  }

  it('puts BOS and EOS as the template says', async () => {
    const tokenizer = await openJson(folder, smallJson({ added, post }))
    expect([tokenizer.bos, tokenizer.eos]).toEqual([300, 301])
    expect(tokenizer.decode(await tokenizer.encode('a', true), true)).toBe('<s>▁a</s>')
    expect(tokenizer.decode(await tokenizer.encode('a', false), true)).toBe('▁a')
    expect(tokenizer.decode(await tokenizer.encode('', true), true)).toBe('<s></s>')
    expect(tokenizer.decode(await tokenizer.encode('a', true))).toBe('▁a')
  })
})

// Text that finds faults in tokenizers: pieces of many scripts, spaces, marks, digits, code and special tokens in random
// order, from a seed.

import { type Random, random } from '../support/random.ts'

/** What is put together, whole or in part. */
const words = [
  'the quick brown fox',
  "I'm you'LL they've we'd it's DON'T 'tis '' 's",
  'HelloWorld camelCase snake_case kebab-case HTTPServer iOS',
  'naïve café Ångström ÉCOLE straße ﬁne Ǆ ǅ',
  '中文分词，今天天气很好。「你好」',
  'カタカナひらがな漢字テスト、ｶﾅ',
  '한국어 문장입니다 각',
  'مرحبا بالعالم، كيف حالك؟',
  'नमस्ते दुनिया क्षत्रिय',
  'Привет, мир! Ёлка',
  'Γειά σου Κόσμε ΑΣ',
  'สวัสดีชาวโลก',
  'Tiếng Việt có dấu',
  '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇫🇷 ❤️',
  'e\u0301 a\u0300\u0323 o\u0308\u0304 \u0301x n\u0303 \u1100\u1161\u11a8 \uac00\u11a8',
  '\u212b \u2126 \u1e9b\u0323 \u0344 \u0958 \u0f73 \u2adc',
  '3.14159 1,000,000 0xFF 1e-9 ٣٤٥ १२३ ½ ² Ⅷ ①',
  'for (let i = 0; i < n; i++) { a[i] += b[i] * 2.5f; } // ok',
  'SELECT * FROM t WHERE a=\'b\' AND c<>"d";\r\n',
  'def f(x):\n\treturn x**2\n\n\n    pass\n',
  'https://example.com/a?b=c&d=%20#e user@mail.org',
  '\\frac{a}{b} $x^2$ ~ `code` **bold** <b>html</b>',
  '\u00a0\u00a0x\u2003y\u3000z\u200b\ufeff\u0085\u2028\u1680',
  '▁ ▁▁a▁b',
  '\u0000\u0001\u001f\u007f\u009f',
  '…—–“quoted”‘single’«guillemets»',
  '<0x41> <0xFF> <0x0A>',
]
const spaces = [' ', ' ', ' ', '  ', '   ', '\n', '\n\n', '\r\n', '\t', ' \n', '\n ', '    ', '\u00a0', '']

export class FuzzText {
  readonly #random: Random
  readonly #specials: string[]
  readonly #codes: (code: number) => boolean

  /** `codes` says which random code points may be drawn. */
  constructor(seed: number, specials: string[] = [], codes: (code: number) => boolean = () => true) {
    this.#random = random(seed)
    this.#specials = specials
    this.#codes = codes
  }

  #code(): number {
    for (;;) {
      const limit = [0x80, 0x250, 0x3000, 0x10000, 0x20000, 0x110000][this.#random.below(6)]!
      const code = this.#random.below(limit)
      if ((code < 0xd800 || code > 0xdfff) && this.#codes(code)) return code
    }
  }

  #piece(): string {
    const kind = this.#random.next()
    const source = words[this.#random.below(words.length)]!
    if (kind < 0.35) return source
    if (kind < 0.7) {
      const characters = [...source]
      const begin = this.#random.below(characters.length)
      return characters.slice(begin, begin + 1 + this.#random.below(8)).join('')
    }
    if (kind < 0.78)
      return Array.from({ length: 1 + this.#random.below(6) }, () => String.fromCodePoint(this.#code())).join('')
    if (kind < 0.84) return String(this.#random.below(10 ** this.#random.below(9)))
    if (kind < 0.9) return spaces[this.#random.below(spaces.length)]!.repeat(1 + this.#random.below(20))
    if (kind < 0.93) return String.fromCodePoint(this.#code()).repeat(1 + this.#random.below(40))
    return this.#specials.length ? this.#specials[this.#random.below(this.#specials.length)]! : source
  }

  next(): string {
    const pieces = 1 + this.#random.below(12)
    let text = ''
    for (let i = 0; i < pieces; i++) text += this.#piece() + spaces[this.#random.below(spaces.length)]
    return text
  }
}

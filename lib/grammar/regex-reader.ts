// The syntax of regular expressions, of those that JavaScript itself has accepted.
import type { KvasirError } from '../errors.ts'
import { type CharSet, charSet, complement, union } from './char-set.ts'
import { DIGIT, DOT, SPACE, unsupported, WORD } from './regex.ts'
import { propertySet } from './unicode-property.ts'

export type Term =
  | { kind: 'start' | 'end' }
  | { kind: 'set'; set: CharSet }
  | { kind: 'sequence'; parts: Term[] }
  | { kind: 'choice'; options: Term[] }
  | { kind: 'repeat'; term: Term; min: number; max: number }

const MOST_REPEATS = 2 ** 20
const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

const one = (code: number): CharSet => charSet([[code, code]])

export class RegexReader {
  private at = 0
  private depth = 0

  constructor(
    private readonly source: string,
    private readonly path: string,
    private readonly unicode: boolean,
  ) {}

  read(): Term {
    return this.alternatives()
  }

  private alternatives(): Term {
    if (++this.depth > 200) throw this.unsupported('nesting of more than 200 groups')
    const options = [this.terms()]
    while (this.source[this.at] === '|') {
      this.at++
      options.push(this.terms())
    }
    this.depth--
    return options.length === 1 ? options[0]! : { kind: 'choice', options }
  }

  private terms(): Term {
    const parts: Term[] = []
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]!)) parts.push(this.repeated(this.term()))
    return { kind: 'sequence', parts }
  }

  private term(): Term {
    const char = this.source[this.at]!
    switch (char) {
      case '^':
      case '$':
        this.at++
        return { kind: char === '^' ? 'start' : 'end' }
      case '(':
        return this.group()
      case '[':
        return { kind: 'set', set: this.characterClass() }
      case '.':
        this.at++
        return { kind: 'set', set: DOT }
      case '\\':
        if (/[bB]/.test(this.source[this.at + 1]!)) throw this.unsupported('a word boundary')
        if (/[1-9k]/.test(this.source[this.at + 1]!)) throw this.unsupported('a back reference')
        return { kind: 'set', set: this.escape() }
      default:
        return { kind: 'set', set: one(this.codePoint()) }
    }
  }

  private group(): Term {
    const opening = /\((\?:|\?<[^=!][^>]*>|\?[^)]*|)/y
    opening.lastIndex = this.at
    const [whole, kind] = opening.exec(this.source)!
    if (kind!.startsWith('?=') || kind!.startsWith('?!')) throw this.unsupported('a lookahead')
    if (kind!.startsWith('?<=') || kind!.startsWith('?<!')) throw this.unsupported('a lookbehind')
    if (kind!.startsWith('?') && kind !== '?:' && !kind!.startsWith('?<')) throw this.unsupported(`(${kind})`)
    this.at += whole!.length
    const inner = this.alternatives()
    this.at++
    return inner
  }

  private repeated(term: Term): Term {
    const quantifier = /(?:([*+?])|\{(\d+)(,)?(\d*)\})\??/y
    quantifier.lastIndex = this.at
    const match = quantifier.exec(this.source)
    if (!match) return term
    this.at += match[0].length
    const [, sign, low, comma, high] = match
    const min = sign ? (sign === '+' ? 1 : 0) : Number(low)
    const max = sign ? (sign === '?' ? 1 : Infinity) : high ? Number(high) : comma ? Infinity : min
    if (min > MOST_REPEATS || (max > MOST_REPEATS && max < Infinity))
      throw this.unsupported(`a repetition of more than ${MOST_REPEATS} times`)
    return { kind: 'repeat', term, min, max }
  }

  private characterClass(): CharSet {
    this.at++
    const inverted = this.source[this.at] === '^'
    if (inverted) this.at++
    const parts: CharSet[] = []
    while (this.source[this.at] !== ']') {
      const first = this.classAtom()
      if (this.source[this.at] === '-' && this.source[this.at + 1] !== ']') {
        const back = this.at++
        const last = this.classAtom()
        const [low, high] = [single(first), single(last)]
        if (low === undefined || high === undefined) {
          this.at = back + 1 // [\w-.]: a minus between sets is itself
          parts.push(first, one(0x2d))
        } else parts.push(charSet([[low, high]]))
      } else parts.push(first)
    }
    this.at++
    const all = union(...parts)
    return inverted ? complement(all) : all
  }

  private classAtom(): CharSet {
    if (this.source[this.at] !== '\\') return one(this.codePoint())
    if (this.source[this.at + 1] === 'b') {
      this.at += 2
      return one(8)
    }
    return this.escape()
  }

  private escape(): CharSet {
    this.at++
    const char = this.source[this.at]!
    const classes: Record<string, CharSet> = { d: DIGIT, w: WORD, s: SPACE }
    const known = classes[char.toLowerCase()]
    if (known) {
      this.at++
      return char === char.toLowerCase() ? known : complement(known)
    }
    if ((char === 'p' || char === 'P') && this.unicode) {
      const name = this.source.slice(this.at + 2, this.source.indexOf('}', this.at))
      this.at += name.length + 3
      const found = propertySet(name)
      return char === 'p' ? found : complement(found)
    }
    if (char in CONTROLS) {
      this.at++
      return one(CONTROLS[char]!)
    }
    if (char === 'c' && /[a-zA-Z]/.test(this.source[this.at + 1] ?? '')) {
      this.at += 2
      return one(this.source.charCodeAt(this.at - 1) % 32)
    }
    if (char === '0') {
      this.at++
      return one(0)
    }
    return one(this.coded() ?? this.codePoint())
  }

  // \x41, \u0041, a pair of surrogates, \u{1f600}
  private coded(): number | undefined {
    const match = /x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]+)\}/iy
    match.lastIndex = this.at
    const found = match.exec(this.source)
    if (!found || (found[3] && !this.unicode)) return undefined
    this.at += found[0].length
    const code = Number.parseInt((found[1] ?? found[2] ?? found[3])!, 16)
    if (code < 0xd800 || code > 0xdbff) return code
    const low = /\\u(d[c-f][\da-f]{2})/iy
    low.lastIndex = this.at
    const second = low.exec(this.source)
    if (!second) return code
    this.at += second[0].length
    return 0x10000 + ((code - 0xd800) << 10) + (Number.parseInt(second[1]!, 16) - 0xdc00)
  }

  private codePoint(): number {
    const code = this.source.codePointAt(this.at)!
    this.at += code > 0xffff ? 2 : 1
    return code
  }

  private unsupported(what: string): KvasirError {
    return unsupported(this.path, what)
  }
}

function single(set: CharSet): number | undefined {
  const [range] = set
  return set.length === 1 && range![0] === range![1] ? range![0] : undefined
}

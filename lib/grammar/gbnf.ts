// The text of a grammar, in the notation of llama.cpp (GBNF):
//
//   root  ::= "answer: " (yes | "no") [0-9a-f]{2,4} .   # a comment
//   yes   ::= "yes"
//
// A rule goes on to the next line after | and inside parentheses. The text must be a sentence of the rule root.
import { KvasirError } from '../errors.ts'
import { ANY, type CharSet, charSet, complement } from './char-set.ts'
import { Nullables } from './nullables.ts'
import { choice, EMPTY, type Node, Rules, repeat, rule, sequence, set, text } from './rules.ts'

export function parseGrammar(source: string): Rules {
  const parser = new Parser(source)
  const rules = parser.grammar()
  if (!rules.has('root')) throw wrong('there is no rule called root')
  for (const { name, line } of parser.used)
    if (!rules.has(name)) throw wrong(`line ${line}: there is no rule called ${name}`)
  for (const name of [...rules.names()]) unwind(name, rules)
  const circle = beginsWithItself(rules)
  if (circle) throw wrong(`the rule ${circle} begins with itself, through other rules; let something come before it`)
  return rules
}

const wrong = (what: string) => new KvasirError('KV_ARGUMENT', `format.source: ${what}`)

class Parser {
  readonly used: { name: string; line: number }[] = []
  private at = 0
  private depth = 0

  constructor(private readonly source: string) {}

  grammar(): Rules {
    const rules = new Rules()
    this.space(true)
    while (this.at < this.source.length) {
      const name = this.name()
      this.space(false)
      this.expect('::=')
      this.space(true)
      if (rules.has(name)) throw this.error(`the rule ${name} is there already`)
      rules.set(name, this.alternatives())
      if (this.at < this.source.length && !/[\r\n]/.test(this.source[this.at]!))
        throw this.error(`expected the end of the rule ${name}, found ${this.found()}`)
      this.space(true)
    }
    return rules
  }

  private alternatives(): Node {
    const options = [this.elements()]
    while (this.peek('|')) {
      this.at++
      this.space(true)
      options.push(this.elements())
    }
    return choice(...options)
  }

  private elements(): Node {
    const parts: Node[] = []
    for (;;) {
      const part = this.element()
      if (!part) return sequence(...parts)
      this.space(this.depth > 0)
      parts.push(this.repeated(part))
    }
  }

  private element(): Node | undefined {
    const char = this.source[this.at]
    if (char === '"') return this.literal()
    if (char === '[') return this.characters()
    if (char === '.') {
      this.at++
      return set(ANY)
    }
    if (char === '(') {
      this.at++
      if (++this.depth > 200) throw this.error('parentheses are nested more than 200 deep')
      this.space(true)
      const inner = this.alternatives()
      this.expect(')')
      this.depth--
      return inner
    }
    if (char === undefined || !/[\w-]/.test(char)) return undefined
    const line = this.line()
    const name = this.name()
    this.used.push({ name, line })
    return rule(name)
  }

  private repeated(node: Node): Node {
    for (;;) {
      const char = this.source[this.at]
      if (char === '*' || char === '+' || char === '?') {
        this.at++
        node = repeat(node, char === '+' ? 1 : 0, char === '?' ? 1 : Infinity)
      } else if (char === '{') {
        const match = /\{\s*(\d{1,6})\s*(,)?\s*(\d{1,6})?\s*\}/y
        match.lastIndex = this.at
        const found = match.exec(this.source)
        if (!found) throw this.error('expected {m}, {m,} or {m,n}')
        const min = Number(found[1])
        const max = found[3] !== undefined ? Number(found[3]) : found[2] ? Infinity : min
        if (max < min) throw this.error(`expected {m,n} with n from ${min}, found ${found[0]}`)
        this.at += found[0].length
        node = repeat(node, min, max)
      } else return node
      this.space(this.depth > 0)
    }
  }

  private literal(): Node {
    let value = ''
    this.at++
    while (this.source[this.at] !== '"') value += String.fromCodePoint(this.character('"'))
    this.at++
    return text(value)
  }

  private characters(): Node {
    this.at++
    const inverted = this.source[this.at] === '^'
    if (inverted) this.at++
    const ranges: [number, number][] = []
    while (this.source[this.at] !== ']') {
      const first = this.character(']')
      let last = first
      if (this.source[this.at] === '-' && this.source[this.at + 1] !== ']') {
        this.at++
        last = this.character(']')
      }
      if (last < first) throw this.error('a range of characters ends before it begins')
      ranges.push([first, last])
    }
    this.at++
    const found: CharSet = charSet(ranges)
    return set(inverted ? complement(found) : found)
  }

  private character(end: string): number {
    const code = this.source.codePointAt(this.at)
    if (code === undefined || code === 10) throw this.error(`expected ${end} before the end of the line`)
    this.at += code > 0xffff ? 2 : 1
    if (code !== 0x5c) return code
    const letter = this.source[this.at++] ?? ''
    const simple = { n: 10, r: 13, t: 9 }[letter]
    if (simple !== undefined) return simple
    const digits = { x: 2, u: 4, U: 8 }[letter]
    if (digits === undefined) {
      if ('\\"[]^-'.includes(letter) && letter) return letter.charCodeAt(0)
      throw this.error(`there is no escape \\${letter}`)
    }
    const hex = this.source.slice(this.at, this.at + digits)
    const value = Number.parseInt(hex, 16)
    if (hex.length < digits || !/^[\da-f]+$/i.test(hex) || value > 0x10ffff)
      throw this.error(`expected ${digits} hexadecimal digits after \\${letter}`)
    this.at += digits
    return value
  }

  private name(): string {
    const match = /[a-zA-Z0-9_-]+/y
    match.lastIndex = this.at
    const name = match.exec(this.source)?.[0]
    if (!name) throw this.error(`expected the name of a rule, found ${this.found()}`)
    this.at += name.length
    return name
  }

  private space(lines: boolean): void {
    const match = lines ? /(?:\s|#[^\n]*)*/y : /(?:[ \t]|#[^\n]*)*/y
    match.lastIndex = this.at
    this.at += match.exec(this.source)![0].length
  }

  private peek(char: string): boolean {
    return this.source[this.at] === char
  }

  private expect(what: string): void {
    if (!this.source.startsWith(what, this.at)) throw this.error(`expected ${what}, found ${this.found()}`)
    this.at += what.length
  }

  private found(): string {
    return this.at < this.source.length ? JSON.stringify(this.source.slice(this.at, this.at + 12)) : 'the end'
  }

  private line(): number {
    return this.source.slice(0, this.at).split('\n').length
  }

  private error(what: string): KvasirError {
    return wrong(`line ${this.line()}: ${what}`)
  }
}

// a ::= a x | y is y x*: the device reads no rule that begins with itself.
function unwind(name: string, rules: Rules): void {
  const node = rules.get(name)!
  const options = node.kind === 'choice' ? node.options : [node]
  const begins = (option: Node): Node | undefined => {
    if (option.kind === 'rule') return option.name === name ? EMPTY : undefined
    if (option.kind !== 'sequence') return undefined
    const [first, ...rest] = option.parts
    return first?.kind === 'rule' && first.name === name ? sequence(...rest) : undefined
  }
  const tails = options.map(begins)
  if (tails.every((tail) => tail === undefined)) return
  const heads = options.filter((_, i) => tails[i] === undefined)
  rules.set(name, sequence(choice(...heads), repeat(choice(...tails.filter((tail) => tail !== undefined)), 0)))
}

/** A rule that is the beginning of itself, through others. */
function beginsWithItself(rules: Rules): string | undefined {
  const state = new Map<string, 'open' | 'closed'>()
  const nullables = new Nullables(rules)
  const begins = (node: Node): string | undefined => {
    switch (node.kind) {
      case 'choice':
        return first(node.options, begins)
      case 'sequence': {
        const filled = node.parts.findIndex((part) => !nullables.isNullable(part))
        return first(filled < 0 ? node.parts : node.parts.slice(0, filled + 1), begins)
      }
      case 'repeat':
        return begins(node.node)
      case 'rule':
        return visit(node.name)
      default:
        return undefined
    }
  }
  const visit = (name: string): string | undefined => {
    if (state.has(name)) return state.get(name) === 'open' ? name : undefined
    state.set(name, 'open')
    const found = begins(rules.get(name)!)
    state.set(name, 'closed')
    return found
  }
  return first([...rules.names()], visit)
}

function first<T, R>(list: readonly T[], find: (one: T) => R | undefined): R | undefined {
  for (const one of list) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

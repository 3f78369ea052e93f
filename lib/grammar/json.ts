// JSON as rules. What may vary is bounded: at most one space, or one line break and its indentation, between the parts,
// so no model loses itself in white space; numbers stay finite.
import { type CharSet, charSet, chars, complement, includes, intersection } from './char-set.ts'
import { choice, type Node, oneOf, optional, type Rules, repeat, rule, sequence, set, text } from './rules.ts'

const CONTROLS = charSet([[0, 0x1f]])
const UNESCAPED = intersection(complement(CONTROLS), complement(chars('"\\')))
const digits = (min: number, max: number) => repeat(oneOf('0123456789'), min, max)
const HEX = '0123456789abcdefABCDEF'

export const INTEGER_DIGITS = 15 // every number of so many digits is told apart from all others

const ESCAPED = [...Array(0x20).keys(), 0x22, 0x5c].map((code) => ({
  code,
  node: text(JSON.stringify(String.fromCharCode(code)).slice(1, -1)),
}))

/** What a string holds for each character of the set, in the one spelling that JSON.stringify gives it. */
export function stringChars(from: CharSet, rules: Rules): Node {
  const escaped = ESCAPED.filter(({ code }) => includes(from, code)).map(({ node }) => node)
  const all = escaped.length === ESCAPED.length
  return choice(
    set(intersection(from, UNESCAPED)),
    all ? rules.define('escaped', () => choice(...escaped)) : choice(...escaped),
  )
}

/** A regular language as the contents of JSON strings. */
export function insideString(node: Node, rules: Rules): Node {
  switch (node.kind) {
    case 'set':
      return stringChars(node.set, rules)
    case 'text':
      return text(JSON.stringify(node.text).slice(1, -1))
    case 'sequence':
      return sequence(...node.parts.map((part) => insideString(part, rules)))
    case 'choice':
      return choice(...node.options.map((option) => insideString(option, rules)))
    case 'repeat':
      return repeat(insideString(node.node, rules), node.min, node.max)
    case 'rule':
      return node
  }
}

/** The rules of JSON, each made when it is first asked for. */
export class Json {
  constructor(private readonly rules: Rules) {}

  /** Between parts. */
  space(): Node {
    return this.rules.define('space', () =>
      choice(text(''), text(' '), sequence(text('\n'), choice(repeat(text(' '), 0, 16), repeat(text('\t'), 1, 8)))),
    )
  }

  /** One character of a string, escaped or not. */
  char(): Node {
    return this.rules.define('char', () => {
      const hex = (first: string, second = HEX) => sequence(oneOf(first), oneOf(second), repeat(oneOf(HEX), 2, 2))
      const code = choice(hex('0123456789abcefABCEF'), hex('dD', '01234567'))
      const pair = sequence(hex('dD', '89abAB'), text('\\u'), hex('dD', 'cdefCDEF'))
      return choice(
        set(UNESCAPED),
        sequence(text('\\'), choice(oneOf('"\\/bfnrt'), sequence(text('u'), choice(code, pair)))),
      )
    })
  }

  string(): Node {
    return this.rules.define('string', () => sequence(text('"'), repeat(this.char(), 0), text('"')))
  }

  integer(): Node {
    return this.rules.define('integer', () =>
      sequence(optional(text('-')), choice(text('0'), sequence(oneOf('123456789'), digits(0, INTEGER_DIGITS)))),
    )
  }

  number(): Node {
    return this.rules.define('number', () =>
      sequence(
        this.integer(),
        optional(sequence(text('.'), digits(1, 16))),
        optional(sequence(oneOf('eE'), optional(oneOf('+-')), digits(1, 2))),
      ),
    )
  }

  boolean(): Node {
    return choice(text('true'), text('false'))
  }

  object(): Node {
    return this.rules.define('object', () =>
      this.list('{', sequence(this.string(), this.colon(), rule('value')), 0, Infinity, '}'),
    )
  }

  array(): Node {
    return this.rules.define('array', () => this.list('[', rule('value'), 0, Infinity, ']'))
  }

  /** Anything. */
  value(): Node {
    return this.rules.define('value', () =>
      choice(this.object(), this.array(), this.string(), this.number(), this.boolean(), text('null')),
    )
  }

  /** An object or array; nothing else can be asked of it. */
  anyObject(): Node {
    this.value()
    return this.object()
  }

  anyArray(): Node {
    this.value()
    return this.array()
  }

  comma(): Node {
    return sequence(text(','), this.space())
  }

  colon(): Node {
    return sequence(text(':'), choice(text(''), text(' ')))
  }

  /** `min` to `max` of `item` with commas between. */
  list(open: string, item: Node, min: number, max: number, close: string): Node {
    const more = repeat(sequence(this.comma(), item), Math.max(0, min - 1), max - 1)
    const items =
      max === 0
        ? text('')
        : min === 0
          ? optional(sequence(item, more, this.space()))
          : sequence(item, more, this.space())
    return sequence(text(open), this.space(), items, text(close))
  }
}

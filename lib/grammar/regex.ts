// Regular expressions as JavaScript reads them (with the flag u), as regular languages. What looks around or back is not
// one: KV_UNSUPPORTED.
import { KvasirError } from '../errors.ts'
import { ANY, type CharSet, charSet, complement, union } from './char-set.ts'
import { Nullables } from './nullables.ts'
import { RegexReader, type Term } from './regex-reader.ts'
import { choice, EMPTY, isNothing, type Node, Rules, repeat, sequence, set } from './rules.ts'

/** All texts that match from their beginning to their end. `path` names the option in errors. */
export function wholeMatch(pattern: string, path: string): Node {
  return choice(...variants(read(pattern, path), path).map(({ node }) => node))
}

/** All texts in which it matches somewhere: a `pattern` of JSON Schema. */
export function searchMatch(pattern: string, path: string): Node {
  const anything = repeat(set(ANY), 0)
  return choice(
    ...variants(read(pattern, path), path).map(({ start, node, end }) =>
      sequence(start ? EMPTY : anything, node, end ? EMPTY : anything),
    ),
  )
}

function read(pattern: string, path: string): Term {
  let unicode = true
  try {
    new RegExp(pattern, 'u')
  } catch (error) {
    unicode = false
    try {
      new RegExp(pattern)
    } catch {
      throw new KvasirError('KV_ARGUMENT', `${path}: ${(error as Error).message}`)
    }
  }
  return new RegexReader(pattern, path, unicode).read()
}

/** One way through the expression, and whether it is bound to the beginning or the end of the text. */
interface Variant {
  start: boolean
  node: Node
  end: boolean
}

const plain = (node: Node): Variant[] => [{ start: false, node, end: false }]

function variants(term: Term, path: string): Variant[] {
  switch (term.kind) {
    case 'start':
      return [{ start: true, node: EMPTY, end: false }]
    case 'end':
      return [{ start: false, node: EMPTY, end: true }]
    case 'set':
      return plain(set(term.set))
    case 'choice': {
      const all = term.options.flatMap((option) => variants(option, path))
      const free = all.filter(({ start, end }) => !start && !end)
      const bound = all.filter(({ start, end }) => start || end)
      return free.length > 0 ? [...plain(choice(...free.map(({ node }) => node))), ...bound] : bound
    }
    case 'sequence': {
      let all = plain(EMPTY)
      for (const part of term.parts) {
        const next = variants(part, path)
        all = all.flatMap((one) => next.flatMap((other) => joined(one, other)))
      }
      return all
    }
    case 'repeat':
      return repeated(variants(term.term, path), term.min, term.max)
  }
}

// At most the first time is bound to the beginning, and the last to the end.
function repeated(inner: Variant[], min: number, max: number): Variant[] {
  if (max === 0) return plain(EMPTY)
  const free = choice(...inner.filter(({ start, end }) => !start && !end).map(({ node }) => node))
  const firsts = [undefined, ...inner.filter(({ start, end }) => start && !end)]
  const lasts = [undefined, ...inner.filter(({ start, end }) => !start && end)]
  const whole = inner.filter(({ start, end, node }) => start && end && (min <= 1 || emptied(node)))
  const between = firsts.flatMap((first) =>
    lasts.flatMap((last): Variant[] => {
      const bound = [first, last].filter((one) => one !== undefined)
      if (bound.length > max) return []
      // What matches nothing may do so as often as is asked for.
      const least = bound.some(({ node }) => emptied(node)) ? 0 : Math.max(0, min - bound.length)
      const middle = repeat(free, least, max - bound.length)
      const node = sequence(first?.node ?? EMPTY, middle, last?.node ?? EMPTY)
      return isNothing(node) ? [] : [{ start: first !== undefined, node, end: last !== undefined }]
    }),
  )
  return [...between, ...whole]
}

// After a text that is not empty there is no beginning, and before one no end: what is there must match nothing.
function joined(a: Variant, b: Variant): Variant[] {
  const [left, right] = [b.start ? emptied(a.node) : a.node, a.end ? emptied(b.node) : b.node]
  if (!left || !right) return []
  return [{ start: a.start || b.start, node: sequence(left, right), end: a.end || b.end }]
}

const nullables = new Nullables(new Rules())
const emptied = (node: Node): Node | undefined => (nullables.isNullable(node) ? EMPTY : undefined)

export function unsupported(path: string, what: string): KvasirError {
  return new KvasirError('KV_UNSUPPORTED', `${path}: ${what} cannot be enforced; write the pattern without it`)
}

const ranges = (...list: [number, number][]): CharSet => charSet(list)

export const DIGIT = ranges([0x30, 0x39])
export const WORD = ranges([0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a])
export const SPACE = union(
  ranges([9, 13], [0x20, 0x20], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a], [0x2028, 0x2029]),
  ranges([0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000], [0xfeff, 0xfeff]),
)
export const DOT = complement(ranges([10, 10], [13, 13], [0x2028, 0x2029]))

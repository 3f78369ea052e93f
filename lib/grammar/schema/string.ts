// Strings: lengths, patterns and formats.
import { KvasirError } from '../../errors.ts'
import { Automaton } from '../automaton.ts'
import { ANY } from '../char-set.ts'
import { insideString, type Json, stringChars } from '../json.ts'
import { searchMatch } from '../regex.ts'
import { choice, NOTHING, type Node, type Rules, repeat, sequence, set, text } from '../rules.ts'
import type { Document, SchemaObject } from './document.ts'
import { formatNode } from './string-formats.ts'

const QUOTE = text('"')

export interface StringLimits {
  min: number
  max: number
  /** Languages of which it is in all, with the place each comes from. */
  all: { node: Node; path: string }[]
  /** … and in none of these. */
  none: { node: Node; path: string }[]
}

export function stringLimits(document: Document, members: readonly SchemaObject[]): StringLimits {
  const limits: StringLimits = { min: 0, max: Infinity, all: [], none: [] }
  for (const member of members) {
    const { minLength, maxLength, pattern, format, $notPattern, $notStrings } = member
    if (minLength !== undefined) limits.min = Math.max(limits.min, count(document, member, 'minLength'))
    if (maxLength !== undefined) limits.max = Math.min(limits.max, count(document, member, 'maxLength'))
    const path = document.pathOf(member, pattern === undefined ? 'format' : 'pattern')
    if (pattern !== undefined) {
      if (typeof pattern !== 'string') throw new KvasirError('KV_ARGUMENT', `${path}: expected a string`)
      limits.all.push({ node: searchMatch(pattern, path), path })
    }
    const known = typeof format === 'string' ? formatNode(format) : undefined
    if (known) limits.all.push({ node: known, path: document.pathOf(member, 'format') })
    if ($notPattern !== undefined) limits.none.push({ node: searchMatch($notPattern, path), path })
    if ($notStrings !== undefined) limits.none.push({ node: choice(...$notStrings.map(text)), path })
  }
  return limits
}

/** A number of things, 0 or more. */
export function count(document: Document, schema: SchemaObject, keyword: string): number {
  const value = schema[keyword]
  if (typeof value === 'number' && value >= 0 && Number.isInteger(value)) return Math.min(value, 2 ** 27)
  throw new KvasirError(
    'KV_ARGUMENT',
    `${document.pathOf(schema, keyword)}: expected a whole number from 0, found ${value}`,
  )
}

/** The string with its quotes. `name`: for rules of its own. */
export function stringNode(limits: StringLimits, json: Json, rules: Rules, name: string): Node {
  const { min, max, all, none } = limits
  if (min > max) return NOTHING
  if (all.length === 0 && none.length === 0)
    return min === 0 && max === Infinity ? json.string() : sequence(QUOTE, repeat(json.char(), min, max), QUOTE)
  if (all.length === 1 && none.length === 0) {
    const { node } = all[0]!
    const [shortest, longest] = lengths(node)
    if (shortest >= min && longest <= max) return sequence(QUOTE, insideString(node, rules), QUOTE)
    const within = limited(node, min, max)
    if (within) return sequence(QUOTE, insideString(within, rules), QUOTE)
  }
  return sequence(
    QUOTE,
    languageOf(limits, name).node(rules, name, (chars) => stringChars(chars, rules)),
    QUOTE,
  )
}

// Of parts of fixed lengths and one set that is repeated, as in ^[a-z][a-z0-9-]*$: the repeat says how long the whole is.
// Counted so, its masks are shared by all counts; an automaton has states for each.
function limited(node: Node, min: number, max: number): Node | undefined {
  const parts = node.kind === 'sequence' ? node.parts : [node]
  const free = parts.filter((part) => lengths(part)[0] !== lengths(part)[1])
  const [only] = free
  if (free.length !== 1 || only?.kind !== 'repeat' || only.node.kind !== 'set') return undefined
  const fixed = parts.reduce((sum, part) => sum + (part === only ? 0 : lengths(part)[0]), 0)
  const counted = repeat(only.node, Math.max(only.min, min - fixed), Math.min(only.max, max - fixed))
  return sequence(...parts.map((part) => (part === only ? counted : part)))
}

/** The strings themselves, as an automaton. */
export function languageOf({ min, max, all, none }: StringLimits, name: string): Automaton {
  const [first, ...rest] = all.map(({ node, path }) => ({ automaton: Automaton.of(node, path), path }))
  let result = first?.automaton ?? Automaton.of(repeat(set(ANY), 0), name)
  for (const { automaton, path } of rest) result = result.intersect(automaton, path)
  for (const { node, path } of none) result = result.without(Automaton.of(node, path), path)
  if (min === 0 && max === Infinity) return result
  const path = all[0]?.path ?? none[0]!.path
  return result.intersect(Automaton.of(repeat(set(ANY), min, max), path), path)
}

/** Characters that a node without rules has at the least and at the most. */
function lengths(node: Node): [number, number] {
  switch (node.kind) {
    case 'set':
      return [1, 1]
    case 'text':
      return [[...node.text].length, [...node.text].length]
    case 'sequence':
      return node.parts.map(lengths).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0])
    case 'choice':
      return node.options.map(lengths).reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)], [Infinity, 0])
    case 'repeat': {
      const [least, most] = lengths(node.node)
      return [least * node.min, most === 0 ? 0 : most * node.max]
    }
    case 'rule':
      return [0, Infinity]
  }
}

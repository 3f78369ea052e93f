// Objects: declared properties in their order, then others where the schema speaks of others.
//
// A schema that declares properties and says nothing of others gets none: what it accepts is a subset of what JSON Schema
// would, and what is meant.
import { KvasirError } from '../../errors.ts'
import { Automaton } from '../automaton.ts'
import { ANY, chars, complement } from '../char-set.ts'
import { type Json, stringChars } from '../json.ts'
import { searchMatch } from '../regex.ts'
import {
  choice,
  EMPTY,
  isNothing,
  NOTHING,
  type Node,
  optional,
  type Rules,
  repeat,
  sequence,
  set,
  text,
} from '../rules.ts'
import { type Document, isObject, type Schema, type SchemaObject } from './document.ts'
import { count, languageOf, type StringLimits, stringLimits } from './string.ts'
import { accepts, schemasOf } from './validate.ts'

export interface Tools {
  document: Document
  json: Json
  rules: Rules
  /** The rule of a value for which all of these hold. */
  value(schemas: readonly Schema[]): Node
  /** What the members say besides $ref, allOf and so on, over all alternatives. */
  alternatives(schemas: readonly Schema[]): SchemaObject[][]
}

interface Property {
  name: string
  required: boolean
  node: Node
}

const MOST_PATTERNS = 4

export function objectNode(members: readonly SchemaObject[], name: string, tools: Tools): Node {
  return new ObjectRules(members, name, tools).node()
}

class ObjectRules {
  private readonly properties: Property[]
  private readonly min: number
  private readonly max: number
  private readonly counted: number // so many properties are told apart
  private readonly required: number
  private readonly pair: Node // any other property; nothing where there are none

  constructor(
    private readonly members: readonly SchemaObject[],
    private readonly name: string,
    private readonly tools: Tools,
  ) {
    const { document } = tools
    const each = (keyword: string) => members.filter((one) => one[keyword] !== undefined)
    this.min = Math.max(0, ...each('minProperties').map((one) => count(document, one, 'minProperties')))
    this.max = Math.min(Infinity, ...each('maxProperties').map((one) => count(document, one, 'maxProperties')))
    this.properties = this.declared()
    this.required = this.properties.filter(({ required }) => required).length
    const open = this.isOpen()
    this.pair = open ? this.others() : NOTHING
    this.counted = Math.max(
      1,
      this.min,
      this.max < this.properties.length || (open && this.max < Infinity) ? this.max : 0,
    )
  }

  node(): Node {
    return sequence(text('{'), this.tools.json.space(), this.inside(), text('}'))
  }

  // From the last property to the first: what may come from number i on, after `count` of them are written.
  private inside(): Node {
    const { json, rules } = this.tools
    const most = Math.min(this.counted, this.properties.length)
    let after = Array.from({ length: most + 1 }, (_, count) => this.rest(count))
    for (let i = this.properties.length - 1; i >= 0; i--) {
      const { name, required, node } = this.properties[i]!
      const pair = sequence(text(JSON.stringify(name)), json.colon(), node)
      const from = Array.from({ length: Math.min(most, i) + 1 }, (_, count) => {
        const then = after[Math.min(count + 1, most)]!
        const written = count < this.max ? sequence(count > 0 ? json.comma() : EMPTY, pair, then) : NOTHING
        return rules.define(`${this.name} ${i} ${count}`, () =>
          required ? written : choice(written, after[count] ?? NOTHING),
        )
      })
      after = from
    }
    return after[0]!
  }

  private rest(count: number): Node {
    if (count < Math.min(this.required, this.counted)) return NOTHING // never so
    const { space, comma } = { space: this.tools.json.space(), comma: this.tools.json.comma() }
    const need = Math.max(0, this.min - count)
    const room = this.max - count
    const more = (least: number, most: number) => repeat(sequence(comma, this.pair), Math.max(0, least), most)
    if (need > 0 && isNothing(this.pair)) return NOTHING
    if (need > 1)
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `${this.where('minProperties')}: that several properties of no fixed names differ cannot be enforced`,
      )
    if (count > 0) return sequence(more(need, room), space)
    const some = room > 0 ? sequence(this.pair, more(need - 1, room - 1), space) : NOTHING
    return need > 0 ? some : optional(some)
  }

  private declared(): Property[] {
    const names = new Set<string>()
    // A kind (lib/grammar/schema/distinct.ts) says nothing of the order.
    for (const { properties, $kind } of this.members)
      if (isObject(properties) && !$kind) for (const name of Object.keys(properties)) names.add(name)
    const required = new Set(this.members.flatMap((one) => this.requiredBy(one)))
    for (const name of required) names.add(name)
    return [...names].flatMap((name) => {
      const schemas = this.schemasFor(name)
      if (schemas.includes(false) && !required.has(name)) return []
      return [{ name, required: required.has(name), node: this.tools.value(schemas) }]
    })
  }

  private requiredBy(member: SchemaObject): string[] {
    const { required } = member
    if (required === undefined || typeof required === 'boolean') return [] // draft 3 and mistakes: accepted by validators
    if (Array.isArray(required) && required.every((name) => typeof name === 'string')) return required
    throw new KvasirError('KV_ARGUMENT', `${this.tools.document.pathOf(member, 'required')}: expected a list of names`)
  }

  private schemasFor(name: string): Schema[] {
    return this.members.flatMap((member) => {
      const own = schemasOf(member, name)
      if (member['propertyNames'] !== undefined && !accepts(this.tools.document, member['propertyNames'], name))
        own.push(false)
      return own.length > 0 ? own : this.unevaluated(member, name)
    })
  }

  // unevaluatedProperties speaks of what no schema at its place or below declares.
  private unevaluated(member: SchemaObject, name: string): Schema[] {
    const { unevaluatedProperties } = member
    if (unevaluatedProperties === undefined) return []
    const inner = member === this.members[0] ? this.members : [member]
    return inner.some((one) => schemasOf(one, name).length > 0) ? [] : [unevaluatedProperties]
  }

  private isOpen(): boolean {
    const speaks = ['additionalProperties', 'unevaluatedProperties', 'patternProperties', 'propertyNames']
    const says = this.members.some((one) => speaks.some((keyword) => one[keyword] !== undefined))
    return says || this.properties.length === 0 || this.min > this.properties.length
  }

  // "name": value for every name that is not declared.
  private others(): Node {
    const { rules, json, value } = this.tools
    const names = this.properties.map(({ name }) => name)
    const hidden = this.members.flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : []))
    const taken = [...new Set([...names, ...hidden])]
    const patterns = [...new Set(this.members.flatMap((one) => Object.keys(one['patternProperties'] ?? {})))]
    const limits = this.nameLimits()
    if (limits.some((list) => list.length === 0)) return NOTHING
    if (patterns.length === 0 && limits.length === 0) {
      const node = value(this.otherSchemas([]))
      const key = sequence(text('"'), otherNames(taken, rules), text('"'))
      return sequence(key, json.colon(), node)
    }
    if (patterns.length > MOST_PATTERNS)
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `${this.where('patternProperties')}: at most ${MOST_PATTERNS} can be enforced`,
      )
    const path = this.where('patternProperties')
    const languages = patterns.map((pattern) => Automaton.of(searchMatch(pattern, path), path))
    const options: Node[] = []
    for (let chosen = 0; chosen < 2 ** patterns.length; chosen++) {
      const matching = patterns.filter((_, i) => chosen & (1 << i))
      const schemas = this.otherSchemas(matching)
      if (schemas.includes(false)) continue
      let keys = Automaton.of(repeat(set(ANY), 0), path).without(Automaton.of(choice(...taken.map(text)), path), path)
      languages.forEach((language, i) => {
        keys = chosen & (1 << i) ? keys.intersect(language, path) : keys.without(language, path)
      })
      for (const list of limits) keys = keys.intersect(anyOf(list, path), path)
      if (keys.isEmpty) continue
      const key = sequence(
        text('"'),
        keys.node(rules, `${this.name} key ${chosen}`, (chars) => stringChars(chars, rules)),
        text('"'),
      )
      options.push(sequence(key, json.colon(), value(schemas)))
    }
    return choice(...options)
  }

  /** For a property of no declared name that matches these patterns. */
  private otherSchemas(matching: string[]): Schema[] {
    return this.members.flatMap((member) => {
      const { patternProperties = {}, additionalProperties, unevaluatedProperties } = member
      const own = matching.filter((pattern) => Object.hasOwn(patternProperties, pattern))
      if (own.length > 0) return own.map((pattern) => patternProperties[pattern] as Schema)
      if (additionalProperties !== undefined) return [additionalProperties]
      const others = this.members[0] === member && this.members.some((one) => one['additionalProperties'] !== undefined)
      return unevaluatedProperties === undefined || others || matching.length > 0 ? [] : [unevaluatedProperties]
    })
  }

  /** What propertyNames asks of names: of each list, one must hold. */
  private nameLimits(): StringLimits[][] {
    return this.members
      .filter((member) => member['propertyNames'] !== undefined && member['propertyNames'] !== true)
      .map((member) =>
        this.tools
          .alternatives([member['propertyNames']])
          .filter((all) => all.every(({ type }) => type === undefined || [type].flat().includes('string')))
          .map((all) => {
            const limits = stringLimits(this.tools.document, all)
            for (const one of all) {
              const values = 'const' in one ? [one['const']] : one['enum']
              if (Array.isArray(values)) {
                const strings = values.filter((x) => typeof x === 'string')
                limits.all.push({ node: choice(...strings.map(text)), path: this.tools.document.pathOf(one, 'enum') })
              }
            }
            return limits
          }),
      )
  }

  private where(keyword: string): string {
    const member = this.members.find((one) => one[keyword] !== undefined)
    return this.tools.document.pathOf(member ?? this.members[0] ?? true, keyword)
  }
}

function anyOf(list: StringLimits[], path: string): Automaton {
  const all = Automaton.of(repeat(set(ANY), 0), path)
  // a or b is what is left when neither is taken away.
  return all.without(
    list.map((limits) => all.without(languageOf(limits, path), path)).reduce((a, b) => a.intersect(b, path)),
    path,
  )
}

/** Every name but these, as the contents of a string: a rule for each of their beginnings. */
function otherNames(names: readonly string[], rules: Rules): Node {
  const prefix = `names but ${JSON.stringify(names)}`
  const rest = rules.define('name', () => repeat(stringChars(ANY, rules), 0))
  const root: Beginning = { whole: false, next: new Map() }
  for (const name of names) {
    let at = root
    for (const char of name) {
      const next = at.next.get(char) ?? { whole: false, next: new Map() }
      at.next.set(char, next)
      at = next
    }
    at.whole = true
  }
  const after = ({ whole, next }: Beginning, place: string): Node =>
    rules.define(`${prefix} not ${place}`, () => {
      const others = sequence(stringChars(complement(chars([...next.keys()].join(''))), rules), rest)
      const options = [...next].map(([char, beginning]) =>
        sequence(text(JSON.stringify(char).slice(1, -1)), after(beginning, `${place}${char}`)),
      )
      return choice(...(whole ? [] : [EMPTY]), others, ...options)
    })
  return names.length === 0 ? rest : after(root, '')
}

interface Beginning {
  /** It is one of the names itself. */
  whole: boolean
  next: Map<string, Beginning>
}

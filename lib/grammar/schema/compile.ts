// A JSON schema as rules: one rule for each set of schemas that some value must satisfy. Rules are made one after another
// from a list, so recursion in the schema is none here, and the event loop can turn in between.
import { KvasirError } from '../../errors.ts'
import { Json } from '../json.ts'
import { choice, NOTHING, type Node, type Rules, rule, sequence, text } from '../rules.ts'
import { loadingProperties } from '../unicode-property.ts'
import { arrayNode } from './array.ts'
import { Combiner } from './combine.ts'
import { Document, isObject, type Schema, type SchemaObject } from './document.ts'
import { TYPES } from './negate.ts'
import { numberNode } from './number.ts'
import { objectNode, type Tools } from './object.ts'
import { stringLimits, stringNode } from './string.ts'
import { ARRAY, OBJECT, typesOf } from './types.ts'
import { accepts } from './validate.ts'

const MOST_RULES = 50_000

/** Adds the rule `root` and those that it needs. Throws KV_ARGUMENT or KV_UNSUPPORTED with the place in the schema. */
export function* compilingSchema(schema: SchemaObject, rules: Rules): Generator<void, void> {
  let source: string
  try {
    source = JSON.stringify(schema)
  } catch (cause) {
    throw new KvasirError('KV_ARGUMENT', `format.schema: it cannot be written as JSON: ${(cause as Error).message}`)
  }
  yield* loadingProperties(source)
  const document = new Document(schema)
  yield* document.reading()
  const compiler = new SchemaCompiler(document, rules)
  rules.set('root', compiler.value([schema]))
  while (compiler.next()) yield
}

class SchemaCompiler implements Tools {
  readonly json: Json
  private readonly combiner: Combiner
  private readonly waiting: { name: string; schemas: readonly Schema[] }[] = []

  constructor(
    readonly document: Document,
    readonly rules: Rules,
  ) {
    this.json = new Json(rules)
    this.combiner = new Combiner(document)
  }

  value = (schemas: readonly Schema[]): Node => {
    const all = [...new Set(schemas)].filter((schema) => schema !== true)
    if (all.length === 0) return this.json.value()
    if (all.includes(false)) return NOTHING
    const name = `schema ${all
      .map((schema) => this.document.idOf(schema))
      .sort((a, b) => a - b)
      .join('&')}`
    if (!this.rules.has(name)) {
      this.rules.set(name, NOTHING)
      this.waiting.push({ name, schemas: all })
    }
    return rule(name)
  }

  alternatives = (schemas: readonly Schema[]): SchemaObject[][] => this.combiner.alternatives(schemas)

  /** Makes one more rule; false when there is none. */
  next(): boolean {
    const job = this.waiting.pop()
    if (!job) return false
    if (this.rules.size > MOST_RULES)
      throw new KvasirError('KV_UNSUPPORTED', `format.schema: it takes more than ${MOST_RULES} rules; simplify it`)
    const nodes = this.alternatives(job.schemas).map((members, i) => this.alternative(members, `${job.name} ${i}`))
    this.rules.set(job.name, choice(...nodes))
    return true
  }

  private alternative(members: readonly SchemaObject[], name: string): Node {
    for (const member of members) this.check(member)
    const listed = members.find((one) => 'const' in one || Array.isArray(one['enum']))
    if (listed) {
      const values: unknown[] = 'const' in listed ? [listed['const']] : listed['enum']
      const fitting = values.filter((value) => members.every((one) => accepts(this.document, one, value)))
      return choice(...fitting.map((value) => this.literal(value)))
    }
    const types = typesOf(members)
    return choice(...types.map((type) => this.typed(type, members, `${name} ${type}`)))
  }

  private typed(type: string, members: readonly SchemaObject[], name: string): Node {
    switch (type) {
      case 'object':
        return members.some((one) => OBJECT.some((keyword) => one[keyword] !== undefined))
          ? objectNode(members, name, this)
          : this.json.anyObject()
      case 'array':
        return members.some((one) => ARRAY.some((keyword) => one[keyword] !== undefined))
          ? arrayNode(members, name, this)
          : this.json.anyArray()
      case 'string':
        return stringNode(stringLimits(this.document, members), this.json, this.rules, name)
      case 'number':
      case 'integer':
        return this.number(members, type === 'integer', name)
      case 'boolean':
        return this.json.boolean()
      default:
        return text('null')
    }
  }

  private number(members: readonly SchemaObject[], integer: boolean, name: string): Node {
    const bounds = { integer, min: -Infinity, max: Infinity, above: false, below: false, multiplesOf: [] as number[] }
    const lower = (value: number, above: boolean) => {
      if (value > bounds.min || (value === bounds.min && above)) Object.assign(bounds, { min: value, above })
    }
    const upper = (value: number, below: boolean) => {
      if (value < bounds.max || (value === bounds.max && below)) Object.assign(bounds, { max: value, below })
    }
    for (const member of members) {
      if (member['format'] === 'int32') {
        lower(-(2 ** 31), false)
        upper(2 ** 31 - 1, false)
      }
      bounds.integer ||= member['format'] === 'int32' || member['format'] === 'int64'
      const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = member
      for (const keyword of ['minimum', 'maximum', 'multipleOf'])
        if (member[keyword] !== undefined && !Number.isFinite(member[keyword]))
          throw new KvasirError('KV_ARGUMENT', `${this.document.pathOf(member, keyword)}: expected a number`)
      if (minimum !== undefined) lower(minimum, exclusiveMinimum === true)
      if (maximum !== undefined) upper(maximum, exclusiveMaximum === true)
      if (typeof exclusiveMinimum === 'number') lower(exclusiveMinimum, true)
      if (typeof exclusiveMaximum === 'number') upper(exclusiveMaximum, true)
      if (multipleOf !== undefined) bounds.multiplesOf.push(multipleOf)
    }
    const place = members.find((one) => one['multipleOf'] !== undefined) ?? members[0]!
    return numberNode(bounds, this.json, this.rules, name, this.document.pathOf(place, 'multipleOf'))
  }

  private literal(value: unknown): Node {
    const { json } = this
    if (Array.isArray(value) && value.length > 0) {
      const items = value.flatMap((item, i) => [...(i > 0 ? [json.comma()] : []), this.literal(item)])
      return sequence(text('['), json.space(), ...items, json.space(), text(']'))
    }
    if (isObject(value) && Object.keys(value).length > 0) {
      const pairs = Object.entries(value).flatMap(([key, item], i) => [
        ...(i > 0 ? [json.comma()] : []),
        text(JSON.stringify(key)),
        json.colon(),
        this.literal(item),
      ])
      return sequence(text('{'), json.space(), ...pairs, json.space(), text('}'))
    }
    return text(JSON.stringify(value))
  }

  // What is not known is an annotation; what is known and cannot be enforced is refused.
  private check(member: SchemaObject): void {
    const { type, unevaluatedItems, items } = member
    const where = (keyword: string) => this.document.pathOf(member, keyword)
    const known = [...TYPES, 'integer'] as readonly unknown[]
    if (type !== undefined && ![type].flat().every((one) => known.includes(one)))
      throw new KvasirError(
        'KV_ARGUMENT',
        `${where('type')}: expected one of ${known.join(', ')}, found ${JSON.stringify(type)}`,
      )
    if (unevaluatedItems !== undefined && unevaluatedItems !== true && items === undefined)
      throw new KvasirError('KV_UNSUPPORTED', `${where('unevaluatedItems')} cannot be enforced; use items`)
  }
}

// What a schema does not accept, as schemas, and whether two schemas have nothing in common. Neither is exact: what comes
// out of negations() is refused for certain, but not everything that is refused comes out.
import type { Document, Schema, SchemaObject } from './document.ts'
import { isObject } from './document.ts'
import { accepts, schemasOf, typeOf } from './validate.ts'

export const TYPES = ['object', 'array', 'string', 'number', 'boolean', 'null'] as const

const DEEPEST = 6

export class Negations {
  private readonly made = new Map<string, Schema[]>()

  constructor(private readonly document: Document) {}

  /** Each is a way for a value to fail the schema. */
  of(schema: Schema, depth = 0): Schema[] {
    if (schema === false) return [true]
    if (schema === true || depth > DEEPEST) return []
    const key = `${this.document.idOf(schema)}:${depth}`
    const known = this.made.get(key)
    if (known) return known
    this.made.set(key, [])
    const result = this.make(schema, depth).map((one) =>
      typeof one === 'boolean' ? one : this.document.adopt(one, schema),
    )
    this.made.set(key, result)
    return result
  }

  private make(schema: SchemaObject, depth: number): Schema[] {
    const deeper = (inner: Schema) => this.of(inner, depth + 1)
    const ways: Schema[] = []
    const { $ref, type, required, properties, minimum, maximum, pattern, minLength, maxLength, allOf, anyOf } = schema
    if ($ref !== undefined) ways.push(...deeper(this.document.resolve($ref, schema)))
    if (type !== undefined) {
      const types = [type].flat()
      const others = TYPES.filter((one) => !types.includes(one) && !(one === 'number' && types.includes('integer')))
      if (schema['nullable'] !== true || others.length > 0)
        ways.push({ type: others.filter((one) => one !== 'null' || !schema['nullable']) })
    }
    if ('const' in schema) ways.push(...this.otherThan([schema['const']]))
    if (Array.isArray(schema['enum'])) ways.push(...this.otherThan(schema['enum']))
    if (Array.isArray(required))
      for (const name of required) ways.push({ type: 'object', properties: { [name]: false } })
    if (isObject(properties))
      for (const [name, inner] of Object.entries(properties))
        for (const not of deeper(inner)) ways.push({ type: 'object', required: [name], properties: { [name]: not } })
    if (typeof minimum === 'number') ways.push({ type: 'number', exclusiveMaximum: minimum })
    if (typeof maximum === 'number') ways.push({ type: 'number', exclusiveMinimum: maximum })
    if (typeof pattern === 'string') ways.push({ type: 'string', $notPattern: pattern })
    if (minLength > 0) ways.push({ type: 'string', maxLength: minLength - 1 })
    if (maxLength >= 0) ways.push({ type: 'string', minLength: maxLength + 1 })
    if (Array.isArray(allOf)) for (const one of allOf) ways.push(...deeper(one))
    for (const list of [anyOf, schema['oneOf']])
      if (Array.isArray(list)) {
        const all = list.map((one: Schema) => deeper(one))
        if (all.every(({ length }) => length > 0)) ways.push({ allOf: all.map((anyOf) => ({ anyOf })) })
      }
    if (schema['not'] !== undefined) ways.push(schema['not'])
    return ways
  }

  private otherThan(values: readonly unknown[]): Schema[] {
    const used = new Set(values.map(typeOf))
    const ways: Schema[] = [{ type: TYPES.filter((type) => !used.has(type)) }]
    const strings = values.filter((value) => typeof value === 'string')
    if (strings.length > 0) ways.push({ type: 'string', $notStrings: strings })
    const booleans = values.filter((value) => typeof value === 'boolean')
    if (booleans.length === 1) ways.push({ const: !booleans[0] })
    const numbers = values.filter((value) => typeof value === 'number')
    if (numbers.length > 0) {
      ways.push({ type: 'number', exclusiveMinimum: Math.max(...numbers) })
      ways.push({ type: 'number', exclusiveMaximum: Math.min(...numbers) })
    }
    return ways
  }

  /** True only where no value is accepted by both. */
  disjoint(a: Schema, b: Schema, depth = 0): boolean {
    if (a === false || b === false) return true
    if (a === true || b === true || depth > DEEPEST) return false
    const deeper = (x: Schema, y: Schema) => this.disjoint(x, y, depth + 1)
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const { $ref, allOf, anyOf, oneOf } = one
      if ($ref !== undefined && deeper(this.document.resolve($ref, one), other)) return true
      if (Array.isArray(allOf) && allOf.some((inner: Schema) => deeper(inner, other))) return true
      for (const list of [anyOf, oneOf])
        if (Array.isArray(list) && list.every((inner: Schema) => deeper(inner, other))) return true
      const values = 'const' in one ? [one['const']] : one['enum']
      if (Array.isArray(values) && !values.some((value) => accepts(this.document, other, value))) return true
    }
    return typesDisjoint(a, b) || rangesDisjoint(a, b) || this.objectsDisjoint(a, b, deeper)
  }

  // A property that both demand tells them apart, or one that only one of them allows.
  private objectsDisjoint(a: SchemaObject, b: SchemaObject, deeper: (x: Schema, y: Schema) => boolean): boolean {
    const onlyObjects = [a, b].some((schema) => schema['type'] === 'object')
    const required = (schema: SchemaObject): string[] => (Array.isArray(schema['required']) ? schema['required'] : [])
    if (!onlyObjects) return false
    const all = (schema: SchemaObject, name: string): Schema => {
      const list = schemasOf(schema, name)
      return list.length === 0 ? true : list.length === 1 ? list[0]! : (list.find((one) => one === false) ?? true)
    }
    return [...new Set([...required(a), ...required(b)])].some((name) => {
      const [inA, inB] = [all(a, name), all(b, name)]
      if (inA === false || inB === false) return true
      return required(a).includes(name) && required(b).includes(name) && deeper(inA, inB)
    })
  }
}

function typesDisjoint(a: SchemaObject, b: SchemaObject): boolean {
  const types = ({ type, nullable }: SchemaObject) =>
    type === undefined
      ? undefined
      : [...[type].flat(), ...(nullable === true ? ['null'] : [])].map((one) => (one === 'integer' ? 'number' : one))
  const [ofA, ofB] = [types(a), types(b)]
  return ofA !== undefined && ofB !== undefined && !ofA.some((type) => ofB.includes(type))
}

function rangesDisjoint(a: SchemaObject, b: SchemaObject): boolean {
  const numeric = (schema: SchemaObject) => ['number', 'integer'].includes(schema['type'])
  if (!numeric(a) || !numeric(b)) return false
  const bound = (schema: SchemaObject, ...names: string[]) =>
    names.map((name) => schema[name]).filter((value) => typeof value === 'number')
  const low = Math.max(...bound(a, 'minimum'), ...bound(b, 'minimum'), -Infinity)
  const high = Math.min(...bound(a, 'maximum'), ...bound(b, 'maximum'), Infinity)
  const above = Math.max(...bound(a, 'exclusiveMinimum'), ...bound(b, 'exclusiveMinimum'), -Infinity)
  const below = Math.min(...bound(a, 'exclusiveMaximum'), ...bound(b, 'exclusiveMaximum'), Infinity)
  return low > high || above >= high || low >= below || above >= below
}

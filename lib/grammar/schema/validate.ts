// Does a schema accept a value? For values that stand in the schema itself: those of enum and const, and names of
// properties. Formats are not looked at.
import { type Document, isObject, type Schema, type SchemaObject } from './document.ts'

export const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'number' ? 'number' : typeof value

const isType = (value: unknown, type: unknown): boolean =>
  type === typeOf(value) || (type === 'integer' && Number.isInteger(value))

export const same = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && canonical(a) === canonical(b))

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    isObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
}

export function accepts(document: Document, schema: Schema, value: unknown, depth = 0): boolean {
  if (typeof schema === 'boolean') return schema
  if (depth > 100) return false
  const holds = (inner: Schema, part = value) => accepts(document, inner, part, depth + 1)
  const { $ref, allOf, anyOf, oneOf, not } = schema
  if ($ref !== undefined && !holds(document.resolve($ref, schema))) return false
  if (Array.isArray(allOf) && !allOf.every((one: Schema) => holds(one))) return false
  if (Array.isArray(anyOf) && !anyOf.some((one: Schema) => holds(one))) return false
  if (Array.isArray(oneOf) && oneOf.filter((one: Schema) => holds(one)).length !== 1) return false
  if (not !== undefined && holds(not)) return false
  if (schema['if'] !== undefined) {
    const branch = schema[holds(schema['if']) ? 'then' : 'else']
    if (branch !== undefined && !holds(branch)) return false
  }
  if ('const' in schema && !same(schema['const'], value)) return false
  if (Array.isArray(schema['enum']) && !schema['enum'].some((one) => same(one, value))) return false
  if (value === null && schema['nullable'] === true) return true
  const types = schema['type'] === undefined ? undefined : [schema['type']].flat()
  if (types && !types.some((type) => isType(value, type))) return false
  if (typeof value === 'string') return acceptsString(schema, value)
  if (typeof value === 'number') return acceptsNumber(schema, value)
  if (Array.isArray(value)) return acceptsArray(schema, value, holds)
  return isObject(value) ? acceptsObject(schema, value, holds) : true
}

type Holds = (schema: Schema, part?: unknown) => boolean

function acceptsString(schema: SchemaObject, value: string): boolean {
  const { minLength = 0, maxLength = Infinity, pattern, $notPattern, $notStrings } = schema // $: of negate.ts
  const length = [...value].length
  if (length < minLength || length > maxLength) return false
  if ($notStrings?.includes(value) || ($notPattern !== undefined && expression($notPattern).test(value))) return false
  return pattern === undefined || expression(pattern).test(value)
}

export function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return new RegExp(pattern)
  }
}

function acceptsNumber(schema: SchemaObject, value: number): boolean {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  if (value < minimum || value > maximum) return false
  if (exclusiveMinimum === true ? value === minimum : value <= (exclusiveMinimum || -Infinity)) return false
  if (exclusiveMaximum === true ? value === maximum : value >= (exclusiveMaximum ?? Infinity)) return false
  return multipleOf === undefined || Number.isInteger(value / multipleOf)
}

function acceptsArray(schema: SchemaObject, value: unknown[], holds: Holds): boolean {
  const { prefix, rest } = itemsOf(schema)
  if (value.length < (schema['minItems'] ?? 0) || value.length > (schema['maxItems'] ?? Infinity)) return false
  if (schema['uniqueItems'] && new Set(value.map(canonical)).size < value.length) return false
  if (schema['contains'] !== undefined && !value.some((part) => holds(schema['contains'], part))) return false
  return value.every((part, i) => holds(prefix[i] ?? rest ?? true, part))
}

/** Schemas of the first items, and of all others where there is one; before 2020-12 `items` was either. */
export function itemsOf(schema: SchemaObject): { prefix: Schema[]; rest: Schema | undefined } {
  const { items, prefixItems, additionalItems } = schema
  if (Array.isArray(items)) return { prefix: items, rest: additionalItems }
  return { prefix: Array.isArray(prefixItems) ? prefixItems : [], rest: items }
}

function acceptsObject(schema: SchemaObject, value: SchemaObject, holds: Holds): boolean {
  const names = Object.keys(value)
  const { required, minProperties = 0, maxProperties = Infinity, propertyNames } = schema
  if (Array.isArray(required) && !required.every((name) => Object.hasOwn(value, name))) return false
  if (names.length < minProperties || names.length > maxProperties) return false
  return names.every((name) => {
    if (propertyNames !== undefined && !holds(propertyNames, name)) return false
    return schemasOf(schema, name).every((one) => holds(one, value[name]))
  })
}

/** Schemas for the property `name`, of this schema object alone. */
export function schemasOf(schema: SchemaObject, name: string): Schema[] {
  const { properties, patternProperties, additionalProperties } = schema
  const found: Schema[] = []
  if (isObject(properties) && Object.hasOwn(properties, name)) found.push(properties[name])
  if (isObject(patternProperties))
    for (const [pattern, one] of Object.entries(patternProperties)) if (expression(pattern).test(name)) found.push(one)
  if (found.length === 0 && additionalProperties !== undefined) found.push(additionalProperties)
  return found
}

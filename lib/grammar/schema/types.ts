// Which types schemas allow.
import type { SchemaObject } from './document.ts'
import { TYPES } from './negate.ts'

export const OBJECT = [
  ...['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames', 'minProperties'],
  ...['maxProperties', 'unevaluatedProperties'],
]
export const ARRAY = [
  ...['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems', 'contains'],
  ...['unevaluatedItems'],
]
const STRING = ['minLength', 'maxLength', 'pattern', '$notPattern', '$notStrings']
const NUMBER = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']

/** Types that all members allow. Where none is named, the keywords tell which is meant; where they do not, any. */
export function typesOf(members: readonly SchemaObject[]): string[] {
  let types: string[] | undefined
  for (const { type, nullable } of members) {
    if (type === undefined) continue
    const own: string[] = [type].flat()
    if (nullable === true && own.length > 0) own.push('null')
    types = types === undefined ? [...new Set(own)] : meet(types, own)
  }
  if (types) return types.includes('number') ? types.filter((type) => type !== 'integer') : types
  const meant = (
    [
      ['object', OBJECT],
      ['array', ARRAY],
      ['string', STRING],
      ['number', NUMBER],
    ] as const
  ).filter(([, keywords]) => members.some((one) => keywords.some((keyword) => one[keyword] !== undefined)))
  return meant.length > 0 ? meant.map(([type]) => type) : [...TYPES]
}

function meet(a: string[], b: string[]): string[] {
  const both = a.filter((type) => b.includes(type))
  // Every integer is a number.
  const integer = (x: string[], y: string[]) => x.includes('integer') && y.includes('number')
  if (!both.includes('number') && (integer(a, b) || integer(b, a))) both.push('integer')
  return [...new Set(both)]
}

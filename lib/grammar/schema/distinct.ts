// Kinds of values that exclude one another, as schemas: items of an array differ where each is of another kind. Strings are
// told apart by a character, numbers by a range, objects by one of their properties, arrays by their length.
//
// A grammar remembers nothing of what was written; that kinds come in their order is what it can hold to. Some arrays of
// different items are lost so, but none is a dead end: what has begun can be completed.
import { isObject, type Schema, type SchemaObject } from './document.ts'
import type { Tools } from './object.ts'
import { typesOf } from './types.ts'
import { schemasOf } from './validate.ts'

const MOST_LENGTH = 16
const SCALARS = ['string', 'number', 'boolean', 'null']

/** For values that hold to all schemas of one of the lists. */
export function distinctKinds(lists: readonly (readonly Schema[])[], tools: Tools): SchemaObject[] {
  const alternatives = lists.flatMap((schemas) => tools.alternatives(schemas))
  return typesOfAll(alternatives).flatMap((type) => {
    if (type === 'object') return objectKinds(alternatives, tools)
    if (type === 'array') return sized('array', 'minItems', 'maxItems', MOST_LENGTH)
    return scalarKinds(type, alternatives)
  })
}

// Integers are numbers here.
const typesOfAll = (alternatives: readonly SchemaObject[][]): string[] => [
  ...new Set(alternatives.flatMap(typesOf).map((type) => (type === 'integer' ? 'number' : type))),
]

function scalarKinds(type: string, alternatives: readonly SchemaObject[][]): SchemaObject[] {
  switch (type) {
    case 'null':
      return [{ const: null }]
    case 'boolean':
      return [{ const: false }, { const: true }]
    case 'string': {
      const shaped = alternatives.flat().some((one) => one['pattern'] !== undefined || one['format'] !== undefined)
      return CHARACTERS.map((char) => ({ type: 'string', pattern: shaped ? `${char}$` : `^${char}` }))
    }
    default:
      return RANGES.map(([minimum, exclusiveMaximum]) => ({
        type: 'number',
        ...(minimum > -Infinity && { minimum }),
        ...(exclusiveMaximum < Infinity && { exclusiveMaximum }),
      }))
  }
}

// Strings with a pattern or a format often begin alike, so they are told apart by how they end.
const CHARACTERS = [
  '[^0-9A-Za-z]',
  ...'0123456789',
  ...Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `[${letter}${letter.toUpperCase()}]`),
]

// Below 0, each of 0 to 9, the tens below 100, the hundreds below 1,000, and so on.
const RANGES: [number, number][] = []
{
  const bounds = [-Infinity, 0]
  for (let unit = 1; unit < 1e6; unit *= 10) for (let i = 1; i < 10; i++) bounds.push(i * unit)
  bounds.push(1e6, Infinity)
  for (let i = 1; i < bounds.length; i++) RANGES.push([bounds[i - 1]!, bounds[i]!])
}

// By a property that all of them declare, one that is required if there is one; else by how many properties there are.
function objectKinds(alternatives: readonly SchemaObject[][], tools: Tools): SchemaObject[] {
  const objects = alternatives.filter((members) => typesOf(members).includes('object'))
  const declares = (members: readonly SchemaObject[], name: string) =>
    members.some(({ properties }) => isObject(properties) && Object.hasOwn(properties, name))
  const names = Object.keys(Object.assign({}, ...objects[0]!.map(({ properties }) => properties)))
  const required = (name: string) => objects[0]!.some((one) => [one['required']].flat().includes(name))
  let best: SchemaObject[] = []
  let most = 1
  for (const name of names.sort((a, b) => Number(required(b)) - Number(required(a)))) {
    if (!objects.every((members) => declares(members, name))) continue
    most = Math.max(most, names.length)
    const kinds = propertyKinds(name, objects, tools)
    if (kinds.length > best.length)
      best = kinds.map((kind) => ({ $kind: true, type: 'object', required: [name], properties: { [name]: kind } }))
    if (best.length >= MOST_LENGTH) break
  }
  return best.length > 0 ? best : sized('object', 'minProperties', 'maxProperties', most + 1)
}

function propertyKinds(name: string, objects: readonly SchemaObject[][], tools: Tools): SchemaObject[] {
  const alternatives = objects.flatMap((members) =>
    tools.alternatives(members.flatMap((member) => schemasOf(member, name))),
  )
  const listed = alternatives.map((members) => members.find((one) => 'const' in one || Array.isArray(one['enum'])))
  if (listed.every((one) => one !== undefined)) {
    const values: unknown[] = listed.flatMap((one) => ('const' in one! ? [one['const']] : one!['enum']))
    return [...new Set(values)].filter((value) => typeof value !== 'object').map((value) => ({ const: value }))
  }
  const types = typesOfAll(alternatives).filter((type) => SCALARS.includes(type))
  return types.flatMap((type) => scalarKinds(type, alternatives))
}

const sized = (type: string, least: string, most: string, count: number): SchemaObject[] =>
  Array.from({ length: count }, (_, size) => ({ type, [least]: size, [most]: size }))

// JSON schemas: what their grammars let through is what ajv accepts, and what was meant gets through.

import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, it } from 'vitest'
import { random } from '../support/random.ts'
import { accepts, grammarOf, randomText, wordsOf } from './harness.ts'
import { SCHEMAS } from './schemas.ts'

const full = process.env['KVASIR_TEST'] === 'full'

function validator(schema: object) {
  const ajv = new Ajv2020({ strict: false, allErrors: false })
  addFormats(ajv)
  const { items } = schema as { items?: unknown }
  // Before 2020-12, places were in `items`.
  const { additionalItems, ...rest } = schema as { additionalItems?: unknown }
  return ajv.compile(Array.isArray(items) ? { ...rest, prefixItems: items, items: additionalItems } : schema)
}

const grammar = (schema: object) => grammarOf(wordsOf({ type: 'json_schema', schema }))

describe('every text that a grammar lets through is valid', () => {
  it.each(Object.entries(SCHEMAS))('%s', (_, schema) => {
    const validate = validator(schema)
    const seed = Date.now() % 1e9
    const chance = random(seed)
    const bytes = grammar(schema)
    for (let round = 0; round < (full ? 200 : 25); round++) {
      const text = randomText(bytes, chance, 20 + chance.below(120))
      let value: unknown
      expect(() => {
        value = JSON.parse(text)
      }, `seed ${seed}: ${text}`).not.toThrow()
      if (!validate(value)) expect.fail(`seed ${seed}: ${text}: ${JSON.stringify(validate.errors)}`)
    }
  })
})

const through: [string, unknown[]][] = [
  [
    'object',
    [
      { name: 'Ada "L" \\ é 😀 \n', age: 36 },
      { name: '', age: 0, ok: true },
      { name: 'x', age: 120 },
    ],
  ],
  ['open object', [{}, { a: null }, { b: 1, ab: -2 }]],
  ['object of patterns', [{ x_a: 5 }, { x_b: null, c_y: 3 }, { x_y: 7 }]],
  ['names of properties', [{}, { abc: null, z: null }]],
  [
    'counted properties',
    [
      { a: null, c: null },
      { b: null, c: null, d: null },
    ],
  ],
  ['tuple', [[], ['ab'], ['', null], ['a', null, true, false]]],
  ['old tuple', [[5], [5, 'x']]],
  [
    'contains',
    [
      [100, 1],
      [200, 300, 5, 6],
    ],
  ],
  [
    'unique',
    [
      ['a', 'c'],
      ['a', 'b', 'c', 4],
    ],
  ],
  ['unique strings', [['9', 'Ada', 'bob', 'Zoë']]],
  ['unique dates', [['2024-02-28', '2023-12-29']]],
  ['unique integers', [[-7, 0, 9, 10, 1234]]],
  ['unique small integers', [[-2, -1, 0, 1, 2]]],
  ['unique objects', [[{ name: 'Ada' }, { note: true, name: 'Bob', age: 36 }]]],
  ['unique objects by a list', [[{ kind: 'a', x: null }, { kind: 'b' }, { kind: 'c' }]]],
  ['unique lists', [[[], [true], [true, false]]]],
  ['a pattern and lengths', ['abc', 'a-"012345678']],
  ['a pattern too short for its length', [null]],
  ['format int32', [2147483600, 2147483647]],
  ['format regex', ['^[^a-z]+\\.(x|y)?$'.replace(/[()-]/g, '')]],
  ['format byte', ['', 'QUJD', 'QUI=', 'QQ==']],
  ['pattern somewhere', ['aaab', 'x', 'zzabzz', 'x"\\']],
  ['two patterns', ['abqcq', 'qqqqqqqqq']],
  ['quotes in a pattern', ['"\\\n\u0001é😀']],
  ['format date', ['2024-02-29', '1999-12-31']],
  ['format date-time', ['2024-02-29T23:59:59.123Z', '0001-01-01T00:00:00+01:30']],
  ['format email', ['ada.l@example.co.uk']],
  ['format ipv6', ['::1', 'fe80::a:b', '1:2:3:4:5:6:7:8']],
  ['format uri', ['https://example.com/a/b?c=d#e', 'mailto:a@b.c']],
  ['format uuid', ['123e4567-e89b-12d3-a456-426614174000']],
  ['integers between', [-1250, -1, 0, 96, 5]],
  ['numbers between', [-0.5, 12.125, 12, 0, 0.25, 3.999]],
  ['numbers above', [0.5, 1, 123456, 1.5]],
  ['numbers below', [-3.5, -4, -1000.25]],
  ['tiny numbers', [0.001, 0.0025, 0.00175]],
  ['multiples', [-98, 0, 7, 70000]],
  ['enum', ['a"b', 1, null, true, { x: [1, 'é'] }, []]],
  ['anyOf', [5, [], [null, null], 'never']],
  ['anyOf beside properties', [{ a: 1 }, { b: 2 }, { a: 1, b: 2 }]],
  ['oneOf by a tag', [{ kind: 'dog', bark: true }, { kind: 'cat' }, { kind: 'cat', lives: 9 }]],
  ['oneOf by what is required', [{ a: null }, { b: null, c: null }]],
  ['oneOf of numbers', [4, -1, 11]],
  ['allOf', [{ a: 5 }, { a: -2, b: null }]],
  ['closed allOf', [{ b: null, a: 1 }, { a: 1 }]],
  ['not', ['b', 'abc', 'aa']],
  [
    'if then else',
    [
      { country: 'NO', zip: '0150' },
      { country: 'US', zip: '90210' },
    ],
  ],
  ['dependencies', [{}, { card: 1, address: null }, { card: 1, address: null, note: null }, { address: null }]],
  ['recursion', [{ value: 1 }, { value: 1, children: [{ value: 2, children: [] }, { value: 3 }] }]],
  ['anchors', [true]],
  ['anything', [null, 1.5e-3, [[[{}]]], { a: { b: ['c'] } }, 'x']],
]

describe('what is meant gets through, compact and spaced', () => {
  it.each(through)('%s', (name, values) => {
    const schema = SCHEMAS[name]!
    const bytes = grammar(schema)
    for (const value of values) {
      expect(validator(schema)(value), `ajv: ${JSON.stringify(value)}`).toBe(true)
      for (const indent of [undefined, 2, '\t'])
        expect(accepts(bytes, JSON.stringify(value, null, indent)), JSON.stringify(value, null, indent)).toBe(true)
    }
  })
})

// Arrays: the first items by their places, then all others alike.
import { KvasirError } from '../../errors.ts'
import { choice, EMPTY, NOTHING, type Node, optional, repeat, sequence, text } from '../rules.ts'
import { distinctKinds } from './distinct.ts'
import type { Schema, SchemaObject } from './document.ts'
import type { Tools } from './object.ts'
import { count } from './string.ts'
import { accepts, canonical, itemsOf } from './validate.ts'

const MOST_VALUES = 64

export function arrayNode(members: readonly SchemaObject[], name: string, tools: Tools): Node {
  return new ArrayRules(members, name, tools).node()
}

class ArrayRules {
  private min: number
  private readonly max: number
  private readonly first: Schema[][] // of each item with a place of its own
  private readonly others: Schema[]

  constructor(
    private readonly members: readonly SchemaObject[],
    private readonly name: string,
    private readonly tools: Tools,
  ) {
    const each = (keyword: string) =>
      members.filter((one) => one[keyword] !== undefined).map((one) => count(tools.document, one, keyword))
    this.min = Math.max(0, ...each('minItems'))
    const lists = members.map(itemsOf)
    const places = Math.max(0, ...lists.map(({ prefix }) => prefix.length))
    this.first = Array.from({ length: places }, (_, i) => lists.flatMap(({ prefix, rest }) => prefix[i] ?? rest ?? []))
    this.others = lists.flatMap(({ rest }) => (rest === undefined ? [] : [rest]))
    // As in lib/grammar/schema/object.ts: places, and nothing said of others, means no others.
    const closed = places > 0 && this.others.length === 0 && this.min <= places
    this.max = Math.min(...each('maxItems'), closed || this.others.includes(false) ? places : Infinity)
    this.contain()
  }

  node(): Node {
    if (this.min > this.max) return NOTHING
    if (this.max > 1 && this.members.some((one) => one['uniqueItems'] === true)) return this.unique()
    return this.bracketed(this.from(0))
  }

  private bracketed(items: Node): Node {
    return sequence(text('['), this.tools.json.space(), items, text(']'))
  }

  private from(i: number): Node {
    const { json, value, rules } = this.tools
    if (i >= this.max) return i > 0 ? json.space() : EMPTY
    if (i < this.first.length)
      return rules.define(`${this.name} ${i}`, () => {
        const item = sequence(i > 0 ? json.comma() : EMPTY, value(this.first[i]!), this.from(i + 1))
        return i >= this.min ? choice(item, i > 0 ? json.space() : EMPTY) : item
      })
    const item = value(this.others)
    const more = (taken: number) =>
      sequence(repeat(sequence(json.comma(), item), Math.max(0, this.min - taken), this.max - taken), json.space())
    if (i > 0) return more(i)
    const some = sequence(item, more(1))
    return this.min > 0 ? some : optional(some)
  }

  // The items that must be contained are the first ones of those that are all alike.
  private contain(): void {
    for (const member of this.members) {
      const { contains, minContains = 1, maxContains } = member
      if (contains === undefined || minContains === 0) continue
      const where = this.tools.document.pathOf(member, maxContains === undefined ? 'contains' : 'maxContains')
      if (maxContains !== undefined || this.first.length > 0 || minContains > 64)
        throw new KvasirError('KV_UNSUPPORTED', `${where} cannot be enforced here; use prefixItems and items`)
      for (let i = 0; i < minContains; i++) this.first.push([...this.others, contains])
      this.min = Math.max(this.min, minContains)
    }
  }

  // Items that differ: each of another kind, and kinds in their order. Where all values are known, each is a kind.
  private unique(): Node {
    const { json, rules, value } = this.tools
    const values = this.first.length === 0 ? this.values() : undefined
    const kinds = values ?? distinctKinds(this.places(), this.tools)
    const item = (taken: number, i: number) =>
      values
        ? text(JSON.stringify(values[i]))
        : value([...(this.first[taken] ?? this.others), kinds[i] as SchemaObject])
    const counted = Math.max(1, this.min, this.first.length, this.max < kinds.length ? this.max : 0)
    const from = (i: number, taken: number): Node => {
      if (i === kinds.length) return taken < this.min ? NOTHING : taken > 0 ? json.space() : EMPTY
      return rules.define(`${this.name} of ${i} ${taken}`, () => {
        const then = from(i + 1, Math.min(taken + 1, counted))
        const written = taken < this.max ? sequence(taken > 0 ? json.comma() : EMPTY, item(taken, i), then) : NOTHING
        return choice(written, from(i + 1, taken))
      })
    }
    return this.bracketed(from(0, 0))
  }

  private places(): Schema[][] {
    return this.max > this.first.length ? [...this.first, this.others] : this.first
  }

  private values(): unknown[] | undefined {
    const { document, alternatives } = this.tools
    const found = new Map<string, unknown>()
    for (const members of alternatives(this.others)) {
      const listed = members.map(listedValues).find((values) => values !== undefined)
      if (!listed) return undefined
      for (const value of listed)
        if (members.every((one) => accepts(document, one, value))) found.set(canonical(value), value)
    }
    return found.size <= MOST_VALUES ? [...found.values()] : undefined
  }
}

function listedValues(schema: SchemaObject): unknown[] | undefined {
  if ('const' in schema) return [schema['const']]
  if (Array.isArray(schema['enum'])) return schema['enum']
  if (schema['type'] === 'boolean') return [true, false]
  if (schema['type'] === 'integer') return integersOf(schema)
  return schema['type'] === 'null' ? [null] : undefined
}

function integersOf({ minimum, maximum }: SchemaObject): number[] | undefined {
  if (!Number.isInteger(minimum) || !Number.isInteger(maximum) || maximum - minimum >= MOST_VALUES) return undefined
  return Array.from({ length: Math.max(0, maximum - minimum + 1) }, (_, i) => minimum + i)
}

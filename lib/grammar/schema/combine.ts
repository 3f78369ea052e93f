// Schemas that must all hold, as alternatives without $ref, allOf, anyOf, oneOf, not, if and dependencies: each is a set of
// schema objects of which only the other keywords are left to look at.
import { KvasirError } from '../../errors.ts'
import { type Document, isObject, type Schema, type SchemaObject } from './document.ts'
import { Negations } from './negate.ts'

const MOST = 512

type Choice = Schema[][]

/** One list of schemas of these must hold. */
class Either {
  constructor(readonly choice: Choice) {}
}

interface Partial {
  done: Set<SchemaObject>
  open: (Schema | Either)[]
}

export class Combiner {
  private readonly negations: Negations

  constructor(private readonly document: Document) {
    this.negations = new Negations(document)
  }

  alternatives(schemas: readonly Schema[]): SchemaObject[][] {
    const work: Partial[] = [{ done: new Set(), open: [...schemas] }]
    const results: SchemaObject[][] = []
    for (let part = work.pop(); part; part = work.pop()) {
      if (results.length + work.length > MOST) throw this.tooMany(schemas)
      const branches = this.settle(part)
      if (branches === 'holds') results.push([...part.done])
      else
        for (const branch of branches.toReversed())
          if (!this.contradicts(branch, part.done))
            work.push({ done: new Set(part.done), open: [...part.open, ...branch] })
    }
    return results
  }

  private contradicts(branch: Schema[], done: Set<SchemaObject>): boolean {
    return branch.some((one) => [...done].some((other) => this.negations.disjoint(one, other)))
  }

  // Goes on until there is a choice: its branches, none where something can never hold.
  private settle({ done, open }: Partial): Choice | 'holds' {
    const choices: Choice[] = []
    while (open.length > 0 || choices.length > 0) {
      const next = open.shift()
      if (next === undefined) {
        const choice = choices.shift()!
        for (const rest of choices) open.push(new Either(rest))
        return choice
      }
      if (next === false) return []
      if (next === true) continue
      if (next instanceof Either) {
        choices.push(next.choice)
        continue
      }
      if (!isObject(next)) throw new KvasirError('KV_ARGUMENT', `${this.document.pathOf(true)}: expected a schema`)
      if (done.has(next)) continue
      done.add(next)
      open.push(...this.parts(next))
    }
    return 'holds'
  }

  /** What else must hold where `schema` does. */
  private parts(schema: SchemaObject): Partial['open'] {
    const parts: Partial['open'] = []
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef'])
      if (schema[keyword] !== undefined) parts.push(this.document.resolve(schema[keyword], schema))
    for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
      const list = schema[keyword]
      if (list === undefined) continue
      if (!Array.isArray(list) || list.length === 0)
        throw new KvasirError('KV_ARGUMENT', `${this.document.pathOf(schema, keyword)}: expected a list of schemas`)
      if (keyword === 'allOf') parts.push(...list)
      if (keyword === 'anyOf') parts.push(new Either(list.map((one: Schema) => [one])))
      if (keyword === 'oneOf') parts.push(...this.exclusive(schema, list))
    }
    if (schema['not'] !== undefined) parts.push(this.negated(schema['not'], schema, 'not'))
    if (schema['if'] !== undefined) parts.push(...this.conditional(schema))
    for (const [name, needs] of dependencies(schema)) {
      const absent = this.document.adopt({ properties: { [name]: false } }, schema)
      const present = Array.isArray(needs) ? this.document.adopt({ required: needs }, schema) : needs
      parts.push(new Either([[absent], [present]]))
    }
    return parts
  }

  // A branch, and of every other one that it might share values with, a way to fail it.
  private exclusive(schema: SchemaObject, list: Schema[]): Partial['open'] {
    if (list.length === 1) return [list[0]!]
    let branches: Choice = []
    list.forEach((one, i) => {
      let ways: Choice = [[one]]
      list.forEach((other, k) => {
        if (k === i || this.negations.disjoint(one, other)) return
        const fails = this.negations.of(other).filter((way) => !this.negations.disjoint(one, way))
        ways = ways.flatMap((way) => fails.map((fail) => [...way, fail]))
        if (ways.length > MOST) throw this.tooMany([schema], 'oneOf')
      })
      branches = [...branches, ...ways]
    })
    if (branches.length > 0) return [new Either(branches)]
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${this.document.pathOf(schema, 'oneOf')}: that only one of its schemas accepts the value cannot be enforced; use anyOf`,
    )
  }

  private negated(not: Schema, schema: SchemaObject, keyword: string): Either {
    const ways = this.negations.of(not)
    if (ways.length === 0 && not !== true && !(isObject(not) && Object.keys(not).length === 0))
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `${this.document.pathOf(schema, keyword)} cannot be enforced; say what is allowed`,
      )
    return new Either(ways.map((way) => [way]))
  }

  private conditional(schema: SchemaObject): Partial['open'] {
    const { if: condition, then = true, else: otherwise = true } = schema
    if (then === true && otherwise === true) return []
    return [new Either([[condition, then], ...this.negations.of(condition).map((way) => [way, otherwise])])]
  }

  private tooMany(schemas: readonly Schema[], keyword = ''): KvasirError {
    const where = this.document.pathOf(schemas[0] ?? true, keyword)
    return new KvasirError('KV_UNSUPPORTED', `${where}: its alternatives have more than ${MOST} combinations`)
  }
}

function* dependencies(schema: SchemaObject): Generator<[string, Schema | string[]]> {
  for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies'])
    if (isObject(schema[keyword])) yield* Object.entries(schema[keyword]) as [string, Schema | string[]][]
}

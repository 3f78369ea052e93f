// A schema document: where each subschema stands, and what a $ref names.
import { KvasirError } from '../../errors.ts'

export type Schema = boolean | SchemaObject
// biome-ignore lint/suspicious/noExplicitAny: keywords are checked where they are used
export type SchemaObject = { readonly [keyword: string]: any }

export const isObject = (value: unknown): value is SchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const ROOT = 'schema:///root'
const NO_SCHEMAS = new Set(['enum', 'const', 'default', 'examples', 'example'])

export class Document {
  private readonly paths = new Map<object, string>()
  private readonly bases = new Map<object, string>()
  private readonly byUri = new Map<string, SchemaObject>()
  private readonly numbers = new Map<object, number>()

  constructor(readonly root: SchemaObject) {}

  /** Looks at every subschema once; yields now and then. */
  *reading(): Generator<void, void> {
    const queue: [object, string, string, number][] = [[this.root, '', ROOT, 0]]
    this.byUri.set(ROOT, this.root)
    for (let i = 0; i < queue.length; i++) {
      const [value, path, parent, depth] = queue[i]!
      if (this.paths.has(value)) continue
      if (depth > 500)
        throw new KvasirError('KV_ARGUMENT', `format.schema${path.slice(0, 200)}…: nested more than 500 deep`)
      this.paths.set(value, path)
      const base = isObject(value) ? this.register(value, parent, path) : parent
      this.bases.set(value, base)
      for (const [key, child] of Object.entries(value))
        if (typeof child === 'object' && child !== null && !(NO_SCHEMAS.has(key) && !path.endsWith('/properties')))
          queue.push([child, `${path}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`, base, depth + 1])
      if (i % 64 === 63) yield
    }
  }

  /** A number of its own for each schema. */
  idOf(schema: Schema): number {
    if (typeof schema === 'boolean') return schema ? 1 : 0
    const known = this.numbers.get(schema)
    if (known !== undefined) return known
    this.numbers.set(schema, this.numbers.size + 2)
    return this.numbers.size + 1
  }

  /** Where it stands, for messages. */
  pathOf(schema: Schema, keyword = ''): string {
    const path = typeof schema === 'boolean' ? '' : (this.paths.get(schema) ?? '')
    return `format.schema${path}${keyword && `/${keyword}`}`
  }

  /** A schema that was made from others stands where `from` does. */
  adopt<S extends SchemaObject>(made: S, from: Schema): S {
    if (typeof from === 'boolean') return made
    this.paths.set(made, this.paths.get(from) ?? '')
    this.bases.set(made, this.bases.get(from) ?? ROOT)
    return made
  }

  /** What a $ref of `from` names. */
  resolve(ref: unknown, from: SchemaObject): Schema {
    const where = this.pathOf(from, '$ref')
    if (typeof ref !== 'string') throw new KvasirError('KV_ARGUMENT', `${where}: expected a string`)
    let uri: string
    try {
      uri = new URL(ref, this.bases.get(from) ?? ROOT).href
    } catch {
      throw new KvasirError('KV_ARGUMENT', `${where}: ${ref} is no URI`)
    }
    const [base, fragment = ''] = uri.split('#') as [string, string?]
    const target = this.byUri.get(uri) ?? this.byUri.get(`${base}#`)
    if (target && (fragment === '' || this.byUri.has(uri))) return target
    const document = this.byUri.get(base)
    if (!document)
      throw new KvasirError('KV_UNSUPPORTED', `${where}: ${ref} is in another document; put it into $defs of this one`)
    if (fragment === '') return document
    return this.pointed(document, fragment, where, ref)
  }

  private pointed(document: SchemaObject, fragment: string, where: string, ref: string): Schema {
    let value: unknown = document
    let pointer = fragment
    try {
      pointer = decodeURIComponent(fragment)
    } catch {} // a lone % is itself
    for (const part of pointer.split('/').slice(1)) {
      const key = part.replace(/~1/g, '/').replace(/~0/g, '~')
      const holder = value as Record<string, unknown> | null
      value = typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key) ? holder[key] : undefined
    }
    if (!pointer.startsWith('/') || (typeof value !== 'boolean' && !isObject(value)))
      throw new KvasirError('KV_ARGUMENT', `${where}: there is no schema at ${ref}`)
    return value
  }

  private register(schema: SchemaObject, parent: string, path: string): string {
    const id = schema['$id'] ?? schema['id']
    let base = parent
    if (typeof id === 'string' && !path.endsWith('/properties')) {
      try {
        const uri = new URL(id, parent).href
        this.byUri.set(uri, schema)
        base = uri.split('#')[0]!
        if (path === '' || !uri.includes('#')) this.byUri.set(base, this.byUri.get(base) ?? schema)
      } catch {} // no URI: nothing can refer to it
    }
    for (const keyword of ['$anchor', '$dynamicAnchor'])
      if (typeof schema[keyword] === 'string') this.byUri.set(`${base}#${schema[keyword]}`, schema)
    return base
  }
}

// The form that an answer must have, as callers give it.
import { expected, oneOf } from '../sampling/check.ts'

export type OutputFormat =
  /** Any JSON object. */
  | { type: 'json_object' }
  /** JSON that a JSON Schema (draft 7 to 2020-12) accepts. */
  | { type: 'json_schema'; schema: object }
  /** A text that the regular expression matches from beginning to end. */
  | { type: 'regex'; pattern: string }
  /** A sentence of a grammar in GBNF, the notation of llama.cpp. */
  | { type: 'grammar'; source: string }

const FIELDS = { json_object: undefined, json_schema: 'schema', regex: 'pattern', grammar: 'source' } as const

/** Throws KV_ARGUMENT unless it is one of the forms above. */
export function checkedFormat(format: unknown): OutputFormat | undefined {
  if (format === undefined) return undefined
  if (typeof format !== 'object' || format === null) throw expected('format', 'an object with a type', format)
  const given = format as Record<string, unknown>
  const type = oneOf('format.type', given['type'] ?? null, 'json_object', Object.keys(FIELDS) as OutputFormat['type'][])
  const field = FIELDS[type]
  for (const name of Object.keys(given))
    if (name !== 'type' && name !== field) throw expected('format', `{ ${['type', field].filter(Boolean)} }`, format)
  if (field === 'schema' && (typeof given[field] !== 'object' || given[field] === null || Array.isArray(given[field])))
    throw expected('format.schema', 'a JSON schema, as an object', given[field])
  if ((field === 'pattern' || field === 'source') && typeof given[field] !== 'string')
    throw expected(`format.${field}`, 'a string', given[field])
  return format as OutputFormat
}

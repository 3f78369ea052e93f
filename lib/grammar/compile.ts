// A format as the words of a grammar.
import { KvasirError } from '../errors.ts'
import { encoding } from './encode.ts'
import type { OutputFormat } from './format.ts'
import { parseGrammar } from './gbnf.ts'
import { Json } from './json.ts'
import { wholeMatch } from './regex.ts'
import { Rules } from './rules.ts'
import { compilingSchema } from './schema/compile.ts'
import type { SchemaObject } from './schema/document.ts'
import { loadingProperties } from './unicode-property.ts'

/** Yields now and then, so that the event loop may turn. Throws KV_ARGUMENT or KV_UNSUPPORTED. */
export function* compilingFormat(format: OutputFormat): Generator<void, Int32Array> {
  let rules = new Rules()
  switch (format.type) {
    case 'json_object':
      rules.set('root', new Json(rules).anyObject())
      break
    case 'json_schema':
      yield* compilingSchema(format.schema as SchemaObject, rules)
      break
    case 'regex':
      yield* loadingProperties(format.pattern)
      rules.set('root', wholeMatch(format.pattern, 'format.pattern'))
      break
    case 'grammar':
      rules = parseGrammar(format.source)
  }
  return yield* encoding(rules, 'root')
}

/** The same work; what is too deep for the stack is refused. */
export function* refusingDepth<T>(work: Generator<void, T>): Generator<void, T> {
  try {
    return yield* work
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new KvasirError('KV_UNSUPPORTED', 'format: it is nested too deeply; simplify it', { cause: error })
  }
}

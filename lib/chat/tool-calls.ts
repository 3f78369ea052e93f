// Calls of functions in the forms of the checkpoints, from their text.
import type { CallFormat } from './format.ts'

export interface FunctionCall {
  name: string
  /** JSON text of an object. */
  arguments: string
}

/** The calls of `source`, which stood where calls stand; none when it cannot be read. */
export function readCalls(source: string, format: CallFormat): FunctionCall[] {
  const text = source.trim()
  if (format === 'mistral' && !text.startsWith('[')) return mistralCalls(text)
  // Llama 3 separates calls by ';', and no JSON value is torn by trying it only where the whole is not JSON.
  const values =
    jsonOf(text) ?? (format === 'llama3' ? text.split(/;\s*(?=\{)/).map((part) => jsonOf(part)) : undefined)
  const calls = [values].flat().map(callOf)
  return calls.every((call) => call !== undefined) ? calls : []
}

/** Whose call of Hermes begins here, and where its arguments do; undefined while that is not plain. */
export function callBegun(text: string): { name: string; length: number } | undefined {
  const [begin, name] =
    /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)+")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/.exec(text) ?? []
  const parsed = name && jsonOf(name)
  return typeof parsed === 'string' ? { name: parsed, length: begin!.length } : undefined
}

// name[ARGS]{…}, name[CALL_ID]id[ARGS]{…} or name{…}; several with [TOOL_CALLS] between them.
function mistralCalls(text: string): FunctionCall[] {
  const calls = text.split('[TOOL_CALLS]').map((part) => {
    const [, name, input] =
      /^\s*([\w.-]+)\s*(?:\[CALL_ID\]\s*[\w-]+\s*)?(?:\[ARGS\])?\s*(\{[\s\S]*\})\s*$/.exec(part) ?? []
    return name && isObject(jsonOf(input!)) ? { name, arguments: input! } : undefined
  })
  return calls.every((call) => call !== undefined) ? calls : []
}

function callOf(value: unknown): FunctionCall | undefined {
  if (!isObject(value)) return undefined
  const call = isObject(value['function']) ? value['function'] : value
  const input = call['arguments'] ?? call['parameters'] ?? {}
  if (typeof call['name'] !== 'string') return undefined
  return { name: call['name'], arguments: typeof input === 'string' ? input : JSON.stringify(input) }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

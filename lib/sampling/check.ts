// Checks of options, down to a misspelt name. Every message has the option, what was found and what is expected.
import { inspect } from 'node:util'
import { KvasirError } from '../errors.ts'

export interface Range {
  min?: number
  /** Like min, itself left out. */
  above?: number
  max?: number
}

/** A value as it appears in a message. */
export const describe = (value: unknown): string =>
  inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 80 })

export function expected(name: string, what: string, found: unknown): KvasirError {
  return new KvasirError('KV_ARGUMENT', `${name}: expected ${what}, found ${describe(found)}`)
}

/** Throws on an option that does not exist. */
export function checkOptions(options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw expected('options', 'an object', options)
  for (const name of Object.keys(options))
    if (!names.includes(name))
      throw new KvasirError('KV_ARGUMENT', `${name}: no such option; there are ${names.join(', ')}`)
}

export function number(name: string, value: unknown, preset: number, range: Range): number {
  if (value === undefined) return preset
  if (typeof value === 'number' && Number.isFinite(value) && inside(value, range)) return value
  throw expected(name, `a number${inWords(range)}`, value)
}

export function integer(name: string, value: unknown, preset: number, range: Range): number {
  if (value === undefined) return preset
  if (typeof value === 'number' && Number.isSafeInteger(value) && inside(value, range)) return value
  throw expected(name, `an integer${inWords(range)}`, value)
}

export function boolean(name: string, value: unknown, preset: boolean): boolean {
  if (value === undefined) return preset
  if (typeof value === 'boolean') return value
  throw expected(name, 'true or false', value)
}

export function oneOf<T extends string>(name: string, value: unknown, preset: T, choices: readonly T[]): T {
  if (value === undefined) return preset
  if (choices.includes(value as T)) return value as T
  throw expected(name, choices.map((choice) => `'${choice}'`).join(' or '), value)
}

export function signalOf(value: unknown): AbortSignal | undefined {
  // By its shape: a signal may come from another realm (Electron, vm, a polyfill).
  const signal = value as AbortSignal | undefined
  if (signal === undefined || (typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function'))
    return signal
  throw expected('signal', 'an AbortSignal', value)
}

const inside = (value: number, { min = -Infinity, above = -Infinity, max = Infinity }: Range): boolean =>
  value >= min && value > above && value <= max

function inWords({ min, above, max }: Range): string {
  const low = min !== undefined ? ` from ${min}` : above !== undefined ? ` above ${above}` : ''
  return max === undefined ? low : `${low} up to ${max}`
}

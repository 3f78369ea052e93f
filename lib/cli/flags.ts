// Flags that chat and generate share, and how they become options of the library.
import type { ParseArgsConfig } from 'node:util'
import { KvasirError } from '../errors.ts'
import type { GenerateOptions, LoadOptions } from '../index.ts'

export const modelFlags = {
  device: { type: 'string' },
  threads: { type: 'string' },
  context: { type: 'string' },
  kv: { type: 'string' },
  weights: { type: 'string' },
  priority: { type: 'string' },
  'keep-memory': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options']

export const samplingFlags = {
  temperature: { type: 'string', short: 't' },
  'top-p': { type: 'string' },
  'top-k': { type: 'string' },
  'min-p': { type: 'string' },
  'repetition-penalty': { type: 'string' },
  seed: { type: 'string' },
  'max-tokens': { type: 'string', short: 'n' },
  stop: { type: 'string', multiple: true },
  'ignore-eos': { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

export const flagsHelp = `  --temperature, -t N   0 is greedy          --top-p N  --top-k N  --min-p N  --repetition-penalty N
  --max-tokens, -n N    tokens of an answer  --seed N   the same seed, the same answer
  --stop TEXT           may be repeated      --ignore-eos
  --threads N           default: the physical cores      --context N   tokens      --kv kv8|f16|f32
  --weights auto|as-is|q8_0|q4_k|…   smaller ones are written to the cache once      --device cpu|cuda|cuda:1|auto
  --priority auto|normal|background   auto: background on battery
  --keep-memory         of the KV cache, even when the machine is short of it\n`

type Values = Record<string, string | boolean | string[] | undefined>

/** Options of load() from the flags. */
export function loadOptions(values: Values): LoadOptions {
  return {
    ...optional('device', values['device'] as LoadOptions['device']), // load() checks it
    ...optional('threads', number(values, 'threads')),
    ...optional('context', number(values, 'context')),
    ...optional('kv', values['kv'] as LoadOptions['kv']), // load() checks it
    ...optional('weights', values['weights'] as LoadOptions['weights']), // here, too
    ...optional('priority', values['priority'] as LoadOptions['priority']),
    ...optional('yieldMemory', values['keep-memory'] ? false : undefined),
  }
}

/** Options of chat() and generate() from the flags; their ranges are checked there. */
export function samplingOptions(values: Values): GenerateOptions {
  return {
    ...optional('temperature', number(values, 'temperature')),
    ...optional('topP', number(values, 'top-p')),
    ...optional('topK', number(values, 'top-k')),
    ...optional('minP', number(values, 'min-p')),
    ...optional('repetitionPenalty', number(values, 'repetition-penalty')),
    ...optional('seed', number(values, 'seed')),
    ...optional('maxTokens', number(values, 'max-tokens')),
    ...optional('stop', values['stop'] as string[] | undefined),
    ...optional('ignoreEos', values['ignore-eos'] as boolean | undefined),
  }
}

/** The number of a flag, where it was given. */
export function number(values: Values, name: string): number | undefined {
  const text = values[name]
  if (text === undefined) return undefined
  const value = Number(text)
  if (text === '' || Number.isNaN(value))
    throw new KvasirError('KV_ARGUMENT', `--${name}: expected a number, found ${JSON.stringify(text)}`)
  return value
}

/** { name: value }, or nothing. */
export const optional = <K extends string, V>(name: K, value: V | undefined): { [key in K]?: V } =>
  value === undefined ? {} : ({ [name]: value } as { [key in K]: V })

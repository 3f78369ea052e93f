// What a request may expect: its class, the times that go with it, and who asked.
import { expected, number, oneOf } from '../sampling/check.ts'

/** interactive: somebody is watching. standard: the default. batch: whenever there is room. */
export type Priority = 'interactive' | 'standard' | 'batch'

export const PRIORITIES: readonly Priority[] = ['interactive', 'standard', 'batch']

/** Milliseconds to the first token, and from token to token. */
export interface Targets {
  ttftMs: number
  tpotMs: number
}

export const TARGETS: Readonly<Record<Priority, Targets>> = {
  interactive: { ttftMs: 1_000, tpotMs: 100 },
  standard: { ttftMs: 10_000, tpotMs: 500 },
  batch: { ttftMs: 300_000, tpotMs: 10_000 },
}

export interface Service {
  /** Default 'standard'. */
  priority?: Priority | undefined
  /** What the class promises, unless given. */
  ttftMs?: number | undefined
  tpotMs?: number | undefined
  /** Milliseconds after which the answer is of no use: not begun by then, it is refused. */
  deadlineMs?: number | undefined
  /** Tenants of a class get equal shares of the tokens computed, and share no pages. */
  tenant?: string | undefined
}

/** Checks these options of a call. Throws KV_ARGUMENT with the option, what was found and what is expected. */
export function serviceOf(options: Service): Service {
  const ms = (name: 'ttftMs' | 'tpotMs' | 'deadlineMs') =>
    options[name] === undefined ? undefined : number(name, options[name], 0, { above: 0 })
  if (options.tenant !== undefined && typeof options.tenant !== 'string')
    throw expected('tenant', 'a string', options.tenant)
  return {
    priority: oneOf('priority', options.priority, 'standard', PRIORITIES),
    ttftMs: ms('ttftMs'),
    tpotMs: ms('tpotMs'),
    deadlineMs: ms('deadlineMs'),
    tenant: options.tenant,
  }
}

/** The names of these options. */
export const SERVICE_OPTIONS = ['priority', 'ttftMs', 'tpotMs', 'deadlineMs', 'tenant'] as const

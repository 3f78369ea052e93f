// What serve() can be told, checked once.
import { boolean, checkOptions, expected, integer } from '../sampling/check.ts'
import { type Logger, silent } from './log.ts'
import type { TenantOptions } from './tenants.ts'

export interface ServerOptions {
  /** Address to listen on. Default 127.0.0.1: this machine alone. */
  host?: string
  /** Default 8080; 0 takes a free one. */
  port?: number
  /** What clients may call the model; the first is the one that is listed. Default: info.name. */
  names?: readonly string[]
  /** Whose keys are let in. Default: everybody, without a key. */
  tenants?: readonly TenantOptions[]
  /** Origins of browsers' pages that may read the answers; '*' is any. Default: none but the server's own page. */
  cors?: string | readonly string[]
  /** Bytes of a request's body. Default 4 MB. */
  maxBodyBytes?: number
  /** Requests that wait while info.maxSequences run; those beyond get 503. Default 1024. */
  maxQueued?: number
  /** Milliseconds in which a request must have come in whole. Default 30 s. */
  requestTimeoutMs?: number
  /** Milliseconds that a client may leave a stream unread. Default 60 s. */
  stallTimeoutMs?: number
  /** Default: nothing is logged. A logger of pino fits. */
  logger?: Logger
  /** The page at `/` and its live view. Default true. */
  page?: boolean
}

export type CheckedOptions = Required<ServerOptions>

const NAMES: readonly (keyof ServerOptions)[] = [
  ...(['host', 'port', 'names', 'tenants', 'cors', 'maxBodyBytes', 'maxQueued'] as const),
  ...(['requestTimeoutMs', 'stallTimeoutMs', 'logger', 'page'] as const),
]

export function checkedOptions(options: ServerOptions, modelName: string): CheckedOptions {
  checkOptions(options, NAMES)
  const { host = '127.0.0.1', names = [modelName], tenants = [], cors = [], logger = silent } = options
  if (typeof host !== 'string' || host === '') throw expected('host', 'an address to listen on', host)
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== 'string' || name === ''))
    throw expected('names', 'a list of names, at least one', names)
  if (!Array.isArray(tenants)) throw expected('tenants', 'a list of { name, keys }', tenants)
  if (typeof cors !== 'string' && !Array.isArray(cors)) throw expected('cors', 'an origin or a list of them', cors)
  return {
    ...{ host, names, tenants, cors, logger },
    port: integer('port', options.port, 8080, { min: 0, max: 65535 }),
    maxBodyBytes: integer('maxBodyBytes', options.maxBodyBytes, 4 * 2 ** 20, { min: 1 }),
    maxQueued: integer('maxQueued', options.maxQueued, 1024, { min: 0 }),
    requestTimeoutMs: integer('requestTimeoutMs', options.requestTimeoutMs, 30_000, { min: 1 }),
    stallTimeoutMs: integer('stallTimeoutMs', options.stallTimeoutMs, 60_000, { min: 1 }),
    page: boolean('page', options.page, true),
  }
}

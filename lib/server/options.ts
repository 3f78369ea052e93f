// What serve() can be told, checked once.
import { checkOptions, expected, integer } from '../sampling/check.ts'

export interface ServerOptions {
  /** Address to listen on. Default 127.0.0.1: this machine alone. */
  host?: string
  /** Default 8080; 0 takes a free one. */
  port?: number
  /** What clients may call the model; the first is the one that is listed. Default: info.name. */
  names?: readonly string[]
  /** Bytes of a request's body. Default 8 MB. */
  maxBodyBytes?: number
}

export type CheckedOptions = Required<ServerOptions>

const NAMES: readonly (keyof ServerOptions)[] = ['host', 'port', 'names', 'maxBodyBytes']

export function checkedOptions(options: ServerOptions, modelName: string): CheckedOptions {
  checkOptions(options, NAMES)
  const { host = '127.0.0.1', names = [modelName] } = options
  if (typeof host !== 'string' || host === '') throw expected('host', 'an address to listen on', host)
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== 'string' || name === ''))
    throw expected('names', 'a list of names, at least one', names)
  return {
    host,
    port: integer('port', options.port, 8080, { min: 0, max: 65535 }),
    names,
    maxBodyBytes: integer('maxBodyBytes', options.maxBodyBytes, 8 * 2 ** 20, { min: 1 }),
  }
}

// What the routes share: the model, the options, and the words of a request on its way through hono.
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Llm } from '../engine/llm.ts'
import { ApiError } from './errors.ts'
import type { Logger, Record } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { CheckedOptions } from './options.ts'
import type { Pace } from './pace.ts'
import type { Tenant, Tenants } from './tenants.ts'

/** What the server needs of a model. */
export type Model = Pick<
  Llm,
  'info' | 'chat' | 'generate' | 'embed' | 'tokenize' | 'tokenBytes' | 'detokenize' | 'stats' | 'watch'
>

export interface Env {
  Bindings: HttpBindings
  Variables: { tenant: Tenant; record: Record }
}

export type Ctx = Context<Env>

export interface Shared {
  readonly llm: Model
  readonly options: CheckedOptions
  readonly tenants: Tenants
  readonly metrics: Metrics
  readonly logger: Logger
  /** Of pieces that are written, and of requests that begin. */
  readonly pace: Pace
  readonly starts: Pace
  /** Seconds since 1970 at which the server was made: the `created` of its model. */
  readonly created: number
  /** The route of a path, of which there are few; for metrics. */
  routeOf(path: string): string
  /** False from the first signal to stop on: no new work is accepted. */
  ready: boolean
  /** Requests that make the model compute, running or waiting. */
  working: number
}

/** Throws the 404 of OpenAI's API unless `name` is one of ours. Returns the name to answer with. */
export function servedName({ options: { names } }: Shared, name: string | null | undefined): string {
  if (name == null || names.includes(name)) return name ?? names[0]!
  throw new ApiError(404, `The model \`${name}\` does not exist; this server has \`${names[0]}\``, {
    param: 'model',
    code: 'model_not_found',
  })
}

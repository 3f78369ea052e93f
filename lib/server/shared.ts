// What the routes share: the model, the options, and the words of a request on its way through hono.
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Llm } from '../engine/llm.ts'
import { ApiError } from './errors.ts'
import type { CheckedOptions } from './options.ts'

/** What the server needs of a model. */
export type Model = Pick<Llm, 'info' | 'chat' | 'generate' | 'embed' | 'tokenize' | 'detokenize' | 'stats' | 'watch'>

export interface Env {
  Bindings: HttpBindings
}

export type Ctx = Context<Env>

export interface Shared {
  llm: Model
  options: CheckedOptions
  /** Seconds since 1970 at which the server was made: the `created` of its model. */
  created: number
  /** False from the first signal to stop on: no new work is accepted. */
  ready: boolean
}

/** Throws the 404 of OpenAI's API unless `name` is one of ours. Returns the name to answer with. */
export function servedName({ options: { names } }: Shared, name: string | undefined): string {
  if (name === undefined || names.includes(name)) return name ?? names[0]!
  throw new ApiError(404, `The model \`${name}\` does not exist; this server has \`${names[0]}\``, {
    param: 'model',
    code: 'model_not_found',
  })
}

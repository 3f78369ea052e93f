// kvasir/server: a model behind OpenAI's HTTP API.
//
//   import { load } from 'kvasir'
//   import { serve } from 'kvasir/server'
//   const llm = await load('smollm2:135m')
//   const server = await serve(llm, { port: 8080 })     // server.url; await server.close() ends it in order
import type { ServerOptions } from './options.ts'
import { Server } from './server.ts'
import type { Model } from './shared.ts'

export type { Logger } from './log.ts'
export type { ServerOptions } from './options.ts'
export type { Server } from './server.ts'
export type { Model } from './shared.ts'
export { readTenants, type TenantOptions } from './tenants.ts'

/** A server that does not listen yet. Throws KV_ARGUMENT. */
export function createServer(llm: Model, options: ServerOptions = {}): Server {
  return new Server(llm, options)
}

/** Resolves when the server listens. Rejects with KV_ARGUMENT, also where the port is taken. */
export function serve(llm: Model, options: ServerOptions = {}): Promise<Server> {
  return createServer(llm, options).listen()
}

// The HTTP server around the routes: listening, and an orderly end.
import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { createApp } from './app.ts'
import { checkedOptions, type ServerOptions } from './options.ts'
import type { Model, Shared } from './shared.ts'

export class Server {
  private readonly http: HttpServer
  private readonly shared: Shared

  constructor(llm: Model, options: ServerOptions = {}) {
    this.shared = {
      llm,
      options: checkedOptions(options, llm.info.name),
      created: Math.floor(Date.now() / 1000),
      ready: true,
    }
    const app = createApp(this.shared)
    this.http = createHttpServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }))
  }

  /** Where it listens: http://127.0.0.1:8080. */
  get url(): string {
    const { address, port, family } = this.http.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  async listen(): Promise<this> {
    const { host, port } = this.shared.options
    this.http.listen(port, host)
    await once(this.http, 'listening') // rejects where the port is taken
    return this
  }

  /** Takes no new requests, waits for those that run, and ends. The model stays loaded: it is the caller's. */
  async close(): Promise<void> {
    this.shared.ready = false
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()))
    this.http.closeIdleConnections()
    await closed
  }
}

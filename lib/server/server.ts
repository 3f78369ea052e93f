// The HTTP server around the routes: listening, and an orderly end.
import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { onAbort } from '../engine/aborted.ts'
import { KvasirError } from '../errors.ts'
import { createApp } from './app.ts'
import { Connections } from './connections.ts'
import { ApiError } from './errors.ts'
import { Metrics } from './metrics.ts'
import { checkedOptions, type ServerOptions } from './options.ts'
import { Pace } from './pace.ts'
import type { Model, Shared } from './shared.ts'
import { Tenants } from './tenants.ts'

export class Server {
  private readonly http: HttpServer
  private readonly connections: Connections
  private readonly shared: Shared
  private closing: Promise<void> | undefined
  private unwatch = () => {}

  constructor(llm: Model, options: ServerOptions = {}) {
    const checked = checkedOptions(options, llm.info.name)
    const paths = new Set<string>()
    this.shared = {
      llm,
      options: checked,
      tenants: new Tenants(checked.tenants),
      metrics: new Metrics(llm, checked.names[0]!),
      logger: checked.logger,
      pace: new Pace(12),
      starts: new Pace(2),
      created: Math.floor(Date.now() / 1000),
      routeOf: (path) => (paths.has(path) ? path : path.startsWith('/v1/models/') ? '/v1/models/:id' : 'other'),
      ready: true,
      working: 0,
    }
    const app = createApp(this.shared)
    for (const { path } of app.routes) paths.add(path)
    const { requestTimeoutMs } = checked
    this.http = createHttpServer(
      {
        requestTimeout: requestTimeoutMs,
        headersTimeout: Math.min(requestTimeoutMs, 10_000),
        connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
        keepAliveTimeout: 65_000, // longer than proxies keep theirs
      },
      getRequestListener(app.fetch, { overrideGlobalObjects: false }),
    )
    this.http.on('clientError', badRequest)
    this.connections = new Connections(this.http)
  }

  /** Where it listens: http://127.0.0.1:8080. */
  get url(): string {
    const { address, port, family } = this.http.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** Rejects with KV_ARGUMENT where the address or the port cannot be had. */
  async listen(): Promise<this> {
    const { host, port } = this.shared.options
    this.http.listen(port, host)
    await once(this.http, 'listening').catch((cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? `port ${port} is taken; 0 takes a free one` : cause.message
      throw new KvasirError('KV_ARGUMENT', `cannot listen at ${host}: ${why}`, { cause })
    })
    this.unwatch = this.shared.llm.watch({
      resized: (pages, why) => this.shared.logger.info({ ...pages, why }, 'kv cache'),
    }).close
    return this
  }

  /**
   * Takes no new requests, answers those that run or wait, and ends. The model stays loaded: it is the caller's.
   * When the signal fires, what is unfinished is cut off.
   */
  close(signal?: AbortSignal): Promise<void> {
    this.closing ??= this.stop()
    onAbort(signal, () => this.http.closeAllConnections())
    return this.closing
  }

  /** `await using server = await serve(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async stop(): Promise<void> {
    this.shared.ready = false
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()))
    this.connections.drain()
    await closed
    this.unwatch()
  }
}

// What is no HTTP, or came too slowly, is told so in the shape of all our errors.
function badRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [status, message] = STATUS_OF[error.code ?? ''] ?? ['400 Bad Request', 'this is no HTTP request']
  const body = JSON.stringify(new ApiError(Number.parseInt(status, 10), message, { code: 'bad_request' }).body)
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`)
}

const STATUS_OF: Record<string, readonly [string, string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
}

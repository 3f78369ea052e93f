// A local HTTP server for files that can be told to misbehave, as the networks of users do.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll } from 'vitest'

export interface FileServer {
  url: string
  /** By path. */
  files: Map<string, Uint8Array>
  /** Ranges that were asked for, '' for a whole file. */
  requests: string[]
  /** Cut the connection after so many bytes of a body; each entry serves one request. */
  cuts: number[]
  /** Answers every request in place of the files, when set. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** False: ranges are ignored, as some mirrors do. */
  ranges: boolean
  /** Milliseconds between pieces of a body. */
  delay: number
}

/** Listens while the tests of the calling file run. */
export function fileServer(): FileServer {
  const state: FileServer = {
    url: '',
    files: new Map(),
    requests: [],
    cuts: [],
    instead: undefined,
    ranges: true,
    delay: 0,
  }
  const server = createServer((request, response) => {
    state.requests.push(request.headers.range ?? '')
    if (state.instead) return state.instead(request, response)
    void serve(state, request, response)
  })
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return state
}

async function serve(state: FileServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = state.files.get(request.url ?? '')
  if (!file) return void response.writeHead(404).end()
  const from = Number(request.headers.range?.match(/bytes=(\d+)-/)?.[1] ?? 0)
  if (state.ranges && from >= file.length) return void response.writeHead(416).end()
  const ranged = state.ranges && from > 0
  const body = ranged ? file.subarray(from) : file
  response.writeHead(ranged ? 206 : 200, {
    'content-length': body.length,
    ...(ranged && { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` }),
  })
  const cut = state.cuts.shift() ?? Infinity
  const piece = 64 * 1024
  for (let at = 0; at < body.length; at += piece) {
    if (at >= cut) return void response.destroy()
    response.write(body.subarray(at, Math.min(at + piece, cut)))
    if (state.delay > 0 || cut < Infinity) await new Promise((resolve) => setTimeout(resolve, state.delay || 5))
  }
  response.end()
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

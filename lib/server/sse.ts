// Server-sent events, written straight to the socket: a stream of tokens has no use for the copies and promises of a
// ReadableStream. A client that reads slowly holds up nobody but itself.
import type { ServerResponse } from 'node:http'
import type { Ctx } from './shared.ts'

export class EventStream {
  private readonly outgoing: ServerResponse

  /** Sends the head; from here on the status is 200. */
  constructor(c: Ctx) {
    this.outgoing = c.env.outgoing
    this.outgoing.writeHead(200, {
      ...Object.fromEntries(c.res.headers),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no', // proxies: do not collect
    })
  }

  /** Resolves when there is room for more, or nobody reads any longer. */
  send(data: unknown, event?: string): Promise<void> | undefined {
    const line = `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
    if (this.outgoing.destroyed || this.outgoing.write(event ? `event: ${event}\n${line}` : line)) return undefined
    return this.room()
  }

  end(): void {
    this.outgoing.end()
  }

  private room(): Promise<void> {
    const { outgoing } = this
    return new Promise((resolve) => {
      const done = () => {
        outgoing.off('drain', done)
        outgoing.off('close', done)
        resolve()
      }
      outgoing.on('drain', done)
      outgoing.on('close', done)
    })
  }
}

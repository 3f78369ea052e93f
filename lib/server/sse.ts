// Server-sent events, written straight to the socket: a stream of tokens has no use for the copies and promises of a
// ReadableStream. A client that reads slowly holds up nobody but itself, and one that does not read at all is left.
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Ctx } from './shared.ts'

/** The JSON of `event(text)`, put together once: what is left for each text is the text. */
export function textTemplate(event: (text: string) => object): (text: string) => string {
  const mark = randomUUID()
  const [before, after, ...more] = JSON.stringify(event(mark)).split(JSON.stringify(mark)) as [string, string]
  if (after === undefined || more.length > 0) return (text) => JSON.stringify(event(text))
  return (text) => before + JSON.stringify(text) + after
}

export class EventStream {
  private readonly outgoing: ServerResponse

  /** Sends the head; from here on the status is 200. */
  constructor(
    c: Ctx,
    private readonly stallTimeoutMs: number,
  ) {
    this.outgoing = c.env.outgoing
    this.outgoing.writeHead(200, {
      ...Object.fromEntries(c.res.headers),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no', // proxies: do not collect
    })
  }

  /** Gives a promise when there is no room for more; it resolves when there is, or when nobody reads any longer. */
  send(data: unknown, event?: string): Promise<void> | undefined {
    if (this.outgoing.destroyed) return undefined
    const line = `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
    return this.outgoing.write(event ? `event: ${event}\n${line}` : line) ? undefined : this.room()
  }

  end(): void {
    this.outgoing.end()
  }

  private room(): Promise<void> {
    const { outgoing } = this
    return new Promise((resolve) => {
      const timer = setTimeout(() => outgoing.destroy(), this.stallTimeoutMs)
      const done = () => {
        clearTimeout(timer)
        outgoing.off('drain', done)
        outgoing.off('close', done)
        resolve()
      }
      outgoing.on('drain', done)
      outgoing.on('close', done)
    })
  }
}

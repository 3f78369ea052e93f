// GET /live: the engine at work, as server-sent events for the page at `/`. All who watch share one sampler; it stops a
// little after the last of them has gone.
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Hono } from 'hono'
import { PAGE_TOKENS } from '../cache/block-allocator.ts'
import { PRIORITIES, TARGETS } from '../scheduler/service.ts'
import type { LiveHello, Sample } from './page/wire.ts'
import { Sampler } from './sampler.ts'
import type { Env, Shared } from './shared.ts'
import { EventStream } from './sse.ts'

const EVERY_MS = 250
const HISTORY = 480 // two minutes
const LINGER = 40 // samples after the last viewer: a page that is loaded again finds its curves

interface Viewer {
  events: EventStream
  /** It reads too slowly and has missed something: it gets the whole map with its next sample. */
  behind: boolean
  busy: boolean
}

export class LiveFeed {
  private readonly viewers = new Set<Viewer>()
  private readonly history: Sample[] = []
  private sampler: Sampler | undefined
  private timer: NodeJS.Timeout | undefined
  private idle = 0

  constructor(private readonly shared: Shared) {}

  /** Sends to `events` until the viewer is gone, or the server stops. */
  add(events: EventStream, onGone: (gone: () => void) => void): void {
    const viewer: Viewer = { events, behind: true, busy: false }
    this.start()
    this.viewers.add(viewer)
    onGone(() => this.viewers.delete(viewer))
    this.send(viewer, this.hello(), 'hello')
  }

  private start(): void {
    this.idle = 0
    if (this.sampler) return
    this.sampler = new Sampler(this.shared.llm)
    this.sampler.take()
    this.history.length = 0
    this.timer = setInterval(() => this.tick(), EVERY_MS)
    this.timer.unref()
  }

  private stop(): void {
    clearInterval(this.timer)
    this.sampler?.close()
    this.sampler = undefined
  }

  private tick(): void {
    if (!this.shared.ready) {
      for (const { events } of this.viewers) events.end()
      this.viewers.clear()
    }
    if (this.viewers.size === 0 && (++this.idle > LINGER || !this.shared.ready)) {
      this.stop()
      return
    }
    const { sample, pages } = this.sampler!.take()
    this.history.push(sample)
    if (this.history.length > HISTORY) this.history.shift()
    for (const viewer of this.viewers) {
      if (viewer.busy) viewer.behind = true
      else {
        this.send(viewer, { sample, pages: viewer.behind ? this.sampler!.map() : pages }, 'sample')
        viewer.behind = false
      }
    }
  }

  private send(viewer: Viewer, data: unknown, event: string): void {
    const room = viewer.events.send(data, event)
    if (!room) return
    viewer.busy = true
    void room.then(() => {
      viewer.busy = false
    })
  }

  private hello(): LiveHello {
    const { info } = this.shared.llm
    return {
      model: this.shared.options.names[0]!,
      context: info.context,
      slots: info.maxSequences,
      pageTokens: PAGE_TOKENS,
      ...{ threads: info.threads, isa: info.isa, kv: info.kv, kvBytes: info.kvBytes },
      targets: PRIORITIES.map((priority) => TARGETS[priority]) as LiveHello['targets'],
      history: this.history,
    }
  }
}

export function live(app: Hono<Env>, shared: Shared): void {
  const feed = new LiveFeed(shared)
  app.get('/live', (c) => {
    feed.add(new EventStream(c, shared.options.stallTimeoutMs), (gone) => c.env.outgoing.once('close', gone))
    return RESPONSE_ALREADY_SENT
  })
}

// The stream of /live: connected while somebody looks, and again when it breaks.
import { events, Failure } from './api.ts'
import type { LiveHello, PageMap, Sample } from './wire.ts'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 8000

export interface FeedEvents {
  hello(hello: LiveHello): void
  sample(sample: Sample, pages: PageMap): void
  /** What is wrong, or nothing. */
  state(problem: string, refused: boolean): void
}

export class Feed {
  private controller: AbortController | undefined
  private timer = 0
  private wait = FIRST_WAIT_MS

  constructor(private readonly events: FeedEvents) {}

  start(): void {
    if (!this.controller) void this.read()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.controller?.abort()
    this.controller = undefined
  }

  private async read(): Promise<void> {
    const controller = new AbortController()
    this.controller = controller
    let problem = 'The server has ended the stream; trying again.'
    let refused = false
    try {
      for await (const { event, data } of events('/live', { signal: controller.signal })) {
        const value = JSON.parse(data)
        if (event === 'hello') {
          this.wait = FIRST_WAIT_MS
          this.events.state('', false)
          this.events.hello(value)
        } else this.events.sample(value.sample, value.pages)
      }
    } catch (error) {
      problem = `${(error as Error).message}`
      refused = error instanceof Failure && (error.status === 401 || error.status === 403)
    }
    if (controller.signal.aborted) return
    this.controller = undefined
    this.events.state(problem, refused)
    if (refused) return
    this.timer = setTimeout(() => this.start(), this.wait)
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS)
  }
}

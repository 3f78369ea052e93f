// One running host and the calls that wait for it. When the host ends, they fail with KV_HOST.
import type { Piece } from '../engine/answer.ts'
import { KvasirError } from '../errors.ts'
import type { Progress } from '../hub/pull.ts'
import { type Child, type ChildEvents, startChild } from './child.ts'
import { type Call, errorOf, type Reply } from './protocol.ts'

/** Receives what the host says to one call. */
export interface Waiting {
  resolve(result: unknown): void
  reject(error: unknown): void
  piece?(piece: Piece): void
  prompt?(text: string): void
  progress?(progress: Progress): void
}

export class Connection {
  private readonly child: Child
  private readonly waiting = new Map<number, Waiting>()
  private lastId = 0
  private ended: unknown // why calls fail from now on
  private gone = false
  private resolveExited = () => {}
  private readonly exited = new Promise<void>((resolve) => {
    this.resolveExited = resolve
  })

  /** `onExit` is called when the process ends without close(), after the calls in flight have failed. */
  constructor(
    private readonly onExit: (error: KvasirError) => void,
    start: (events: ChildEvents) => Child = startChild,
  ) {
    this.child = start({ message: (reply) => this.receive(reply), exit: (how) => this.exit(how) })
    this.child.keepAlive(false)
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  /** Sends a call and returns its id. Fails through `waiting` alone. */
  send(call: Omit<Call, 'id'>, waiting: Waiting): number {
    const id = ++this.lastId
    if (this.ended) {
      waiting.reject(this.ended)
      return id
    }
    this.waiting.set(id, waiting)
    this.child.keepAlive(true)
    try {
      this.child.send({ id, ...call })
    } catch (error) {
      this.settle(id)
      waiting.reject(error)
    }
    return id
  }

  /** A call with one result. */
  call<T>(call: Omit<Call, 'id'>, progress?: Waiting['progress']): { result: Promise<T>; cancel(): void } {
    let id = 0
    const result = new Promise<T>((resolve, reject) => {
      id = this.send(call, { resolve: resolve as (result: unknown) => void, reject, ...(progress && { progress }) })
    })
    return { result, cancel: () => this.cancel(id, true) }
  }

  /** Asks the host to end a call early. `forget`: nobody waits for what it had. */
  cancel(id: number, forget: boolean): void {
    if (!this.waiting.has(id)) return
    this.child.send({ cancel: id })
    if (forget) this.settle(id)
  }

  /** Ends the process; what waits fails with `error`. Resolves when the process is gone. */
  close(error: unknown): Promise<void> {
    this.fail(error)
    if (!this.gone) this.child.kill()
    return this.exited
  }

  private receive(reply: Reply): void {
    const waiting = this.waiting.get(reply.id)
    if (!waiting) return // forgotten
    if ('piece' in reply) waiting.piece?.(reply.piece)
    else if ('prompt' in reply) waiting.prompt?.(reply.prompt)
    else if ('progress' in reply) waiting.progress?.(reply.progress)
    else {
      this.settle(reply.id)
      if ('error' in reply) waiting.reject(errorOf(reply.error))
      else waiting.resolve(reply.result)
    }
  }

  private settle(id: number): void {
    this.waiting.delete(id)
    if (this.waiting.size === 0) this.child.keepAlive(false)
  }

  private exit(how: string): void {
    const error = new KvasirError('KV_HOST', `the process that runs the model ended (${how}); call again to restart it`)
    const expected = this.ended !== undefined
    this.gone = true
    this.fail(error)
    this.resolveExited()
    if (!expected) this.onExit(error)
  }

  private fail(error: unknown): void {
    this.ended ??= error
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const { reject } of waiting) reject(error)
  }
}

// Compiles formats on a thread of its own, for a large schema takes tenths of a second: one format after another, each
// within limits of memory and time. The thread starts with the first format and ends when there was none for a while.
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type ErrorCode, KvasirError } from '../errors.ts'
import { compilingFormat, refusingDepth } from './compile.ts'

const TURN_MS = 0.5
const LIMITS = { entry: join(__dirname, 'worker.js'), idleMs: 10_000, mostMs: 30_000, mostMb: 512 }

export type Answer =
  | 'ready'
  | { words: Int32Array }
  | { refused: { code: ErrorCode; message: string } }
  | { failed: string }

interface Job {
  format: string
  resolve: (words: Int32Array | Promise<Int32Array>) => void
  reject: (error: Error) => void
}

export class Compiler {
  private worker: Worker | undefined
  private ready = false
  private readonly jobs: Job[] = [] // the first one is being compiled
  private timer: NodeJS.Timeout | undefined
  private threadless = false

  private readonly limits: typeof LIMITS

  constructor(limits: Partial<typeof LIMITS> = {}) {
    this.limits = { ...LIMITS, ...limits }
  }

  /** `format` as JSON. Rejects with KV_ARGUMENT or KV_UNSUPPORTED, naming the place. */
  compile(format: string): Promise<Int32Array> {
    return new Promise((resolve, reject) => {
      if (this.threadless) return resolve(compiledInTurns(format))
      this.jobs.push({ format, resolve, reject })
      if (this.jobs.length === 1) this.begin()
    })
  }

  private begin(): void {
    this.worker ??= this.start()
    clearTimeout(this.timer)
    this.worker.ref()
    if (this.ready) this.send()
  }

  private send(): void {
    const { mostMs } = this.limits
    this.timer = setTimeout(() => this.giveUp(`it takes more than ${mostMs / 1000} s to compile`), mostMs)
    this.worker!.postMessage(this.jobs[0]!.format)
  }

  private start(): Worker {
    this.ready = false
    const worker = new Worker(this.limits.entry, {
      name: 'kvasir formats',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: this.limits.mostMb },
    })
    worker.on('message', (answer: Answer) => worker === this.worker && this.hear(answer))
    worker.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (worker !== this.worker) return
      if (!this.ready) this.inTurns()
      else if (code === 'ERR_WORKER_OUT_OF_MEMORY')
        this.giveUp(`it takes more than ${this.limits.mostMb} MB to compile`)
      else this.giveUp('the thread that compiled it ended')
    })
    return worker
  }

  private hear(answer: Answer): void {
    if (answer === 'ready') {
      this.ready = true
      this.send()
      return
    }
    clearTimeout(this.timer)
    const { resolve, reject } = this.jobs.shift()!
    if ('words' in answer) resolve(answer.words)
    else if ('refused' in answer) reject(new KvasirError(answer.refused.code, answer.refused.message))
    else reject(new Error(answer.failed))
    if (this.jobs.length > 0) this.send()
    else this.rest()
  }

  private rest(): void {
    this.worker!.unref()
    this.timer = setTimeout(() => this.end(), this.limits.idleMs).unref()
  }

  // The thread goes with the format that was too much for it; those that wait get another.
  private giveUp(why: string): void {
    this.end()
    this.jobs.shift()!.reject(new KvasirError('KV_UNSUPPORTED', `format: ${why}; simplify it`))
    if (this.jobs.length > 0) this.begin()
  }

  private end(): void {
    clearTimeout(this.timer)
    const { worker } = this
    this.worker = undefined
    worker?.terminate()
  }

  // Where no thread can be started (a bundle without its file, a runtime without threads), the event loop turns meanwhile.
  private inTurns(): void {
    this.end()
    this.threadless = true
    for (const { format, resolve } of this.jobs.splice(0)) resolve(compiledInTurns(format))
  }
}

async function compiledInTurns(format: string): Promise<Int32Array> {
  const work = refusingDepth(compilingFormat(JSON.parse(format)))
  for (let begin = performance.now(); ; ) {
    const { done, value } = work.next()
    if (done) return value
    if (performance.now() - begin < TURN_MS) continue
    await turn()
    begin = performance.now()
  }
}

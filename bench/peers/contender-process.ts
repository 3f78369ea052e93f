// The other end of protocol.ts: a contender in a process of its own.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Ready, Task, TaskResult } from './protocol.ts'

const LIMIT_MS = 10 * 60_000

export class ContenderProcess {
  private readonly lines: AsyncIterator<string>
  private errors = ''

  private constructor(
    readonly name: string,
    private readonly child: ChildProcessWithoutNullStreams,
  ) {
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-2000)
    })
    child.on('error', (error) => {
      this.errors += String(error)
    })
    child.stdin.on('error', () => {}) // the process is gone: the missing answer says so
  }

  /** Starts it and waits until its model is loaded. */
  static async start(name: string, command: string, args: readonly string[]): Promise<ContenderProcess & Ready> {
    const contender = new ContenderProcess(name, spawn(command, args))
    return Object.assign(contender, await contender.answer<Ready>('ready'))
  }

  async run(task: Task): Promise<TaskResult> {
    this.child.stdin.write(`${JSON.stringify(task)}\n`)
    return this.answer<TaskResult>('tokens')
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.stdin.end()
    const timer = setTimeout(() => this.child.kill(), 5000)
    await ended
    clearTimeout(timer)
  }

  /** The next line that is an object with `key`; libraries print remarks of their own. */
  private async answer<T extends object>(key: keyof T & string): Promise<T> {
    const timer = setTimeout(() => this.child.kill(), LIMIT_MS)
    try {
      for (;;) {
        const { value, done } = await this.lines.next()
        if (done) throw new Error(`${this.name} ended without an answer. ${this.errors}`)
        if (!value.startsWith('{')) continue
        const message = JSON.parse(value) as T
        if (key in message) return message
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

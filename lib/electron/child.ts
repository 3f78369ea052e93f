// A child process that runs host.ts: Electron's utilityProcess in its main process, a forked Node elsewhere.
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { KvasirError } from '../errors.ts'
import type { Question, Reply } from './protocol.ts'

export interface Child {
  readonly pid: number | undefined
  send(question: Question): void
  kill(): void
  /** Whether the process waits for it. */
  keepAlive(on: boolean): void
}

export interface ChildEvents {
  message(reply: Reply): void
  /** Once, however it ended. */
  exit(how: string): void
}

/** What we use of Electron's utilityProcess (Electron 22 and later). */
export interface UtilityProcess {
  fork(
    path: string,
    args: string[],
    options: { serviceName: string },
  ): {
    readonly pid?: number
    postMessage(message: unknown): void
    kill(): boolean
    on(event: string, listener: (value: never) => void): unknown
  }
}

const entry = join(__dirname, 'host.js')

/** `execPath`: a Node to run it in, whatever this process is. */
export function startChild(events: ChildEvents, execPath?: string, utility = utilityProcess()): Child {
  return utility && !execPath ? startUtility(utility, events) : startFork(events, execPath)
}

function utilityProcess(): UtilityProcess | undefined {
  const { type } = process as { type?: string }
  if (!process.versions['electron'] || type !== 'browser') return undefined
  return (require('electron') as { utilityProcess?: UtilityProcess }).utilityProcess
}

function startUtility(utility: UtilityProcess, events: ChildEvents): Child {
  const child = utility.fork(entry, [], { serviceName: 'Kvasir' })
  child.on('message', events.message)
  child.on('exit', (code) => events.exit(`status ${code}`))
  return {
    get pid() {
      return child.pid
    },
    send: (question) => sent(() => child.postMessage(question)),
    kill: () => void child.kill(),
    keepAlive: () => {}, // as below
  }
}

function startFork(events: ChildEvents, execPath = process.execPath): Child {
  const child: ChildProcess = fork(entry, [], { execPath, serialization: 'advanced', execArgv: [] })
  child.on('message', events.message)
  let over = false
  const end = (how: string) => {
    if (over) return
    over = true
    events.exit(how)
  }
  child.on('exit', (code, signal) => end(signal ?? `status ${code}`))
  child.on('error', (error) => end(error.message)) // it could not be started, or not be written to
  // An Electron app ends by app.quit(), not by running out of work, and Electron 9 stops listening to what is unreferenced.
  const ends = !process.versions['electron']
  if (ends) child.unref()
  return {
    pid: child.pid,
    send: (question) => sent(() => child.connected && child.send(question)),
    kill: () => void child.kill('SIGKILL'),
    keepAlive: (on) => ends && (on ? child.channel?.ref() : child.channel?.unref()),
  }
}

// What cannot be copied to another process is the caller's mistake; a host that is gone says so by its exit.
function sent(send: () => void): void {
  try {
    send()
  } catch (cause) {
    throw new KvasirError('KV_ARGUMENT', `cannot be sent to the host process: ${(cause as Error).message}`, { cause })
  }
}

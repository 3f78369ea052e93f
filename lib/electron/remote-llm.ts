// A model in a process of its own, with the methods of Llm. A crash there takes no window with it: what was in flight
// rejects with KV_HOST, and the next call starts the process again and loads the model again.
import { aborted, onAbort } from '../engine/aborted.ts'
import { disposed } from '../engine/disposed.ts'
import type { Listener } from '../engine/generate-request.ts'
import { Generation } from '../engine/generation.ts'
import type { LoadOptions } from '../engine/load.ts'
import type {
  ChatMessage,
  ChatOptions,
  EmbedOptions,
  GenerateOptions,
  ModelInfo,
  Prompt,
  ScoreOptions,
} from '../engine/types.ts'
import type { KvasirError } from '../errors.ts'
import { signalOf } from '../sampling/check.ts'
import { startChild } from './child.ts'
import { Connection } from './connection.ts'
import type { Call } from './protocol.ts'

export interface RemoteOptions extends LoadOptions {
  /** Called when the process ended although nobody disposed the model. */
  onHostExit?: (error: KvasirError) => void
  /** Runs the model in this Node (20 or later) in place of Electron's utilityProcess, which Electron has from 22 on. */
  execPath?: string
}

/** Bytes of the host process, as process.memoryUsage() counts them. */
export interface HostMemory extends NodeJS.MemoryUsage {
  pid: number
}

interface RemoteRequest {
  connection: Connection
  call: Omit<Call, 'id'>
  listener: Listener
  id: number
}

/** Use load(). */
export class RemoteLlm {
  private connecting: Promise<Connection> | undefined
  private connection: Connection | undefined
  private loaded: Readonly<ModelInfo> | undefined
  private disposal: Promise<void> | undefined

  constructor(
    private readonly spec: string,
    private readonly options: RemoteOptions,
    private readonly connect: (onExit: (error: KvasirError) => void) => Connection = (onExit) =>
      new Connection(onExit, (events) => startChild(events, options.execPath)),
  ) {}

  /** What was loaded, and how. */
  get info(): Readonly<ModelInfo> {
    return this.loaded!
  }

  /** The process that runs the model; undefined while there is none. */
  get pid(): number | undefined {
    return this.connection?.pid
  }

  /** Starts the process and loads the model; the signal ends it. */
  async start(signal?: AbortSignal): Promise<void> {
    this.connecting = this.begin(signal)
    await this.connecting
  }

  /** As Llm.chat(); rejects with KV_HOST, too, when the process ends. */
  chat(messages: string | readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { onPrompt, ...rest } = { ...options }
    return this.generation('chat', messages, onPrompt ? { ...rest, onPrompt: true } : rest, onPrompt)
  }

  /** As Llm.generate(). */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    return this.generation('generate', prompt, { ...options })
  }

  embed(texts: string | readonly Prompt[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    return this.call('embed', texts, { ...options })
  }

  score(text: Prompt, options: ScoreOptions = {}): Promise<Float32Array> {
    return this.call('score', text, { ...options })
  }

  tokenize(text: string, options?: { special?: boolean }): Promise<number[]>
  tokenize(
    messages: readonly ChatMessage[],
    options?: Pick<ChatOptions, 'tools' | 'templateVariables'>,
  ): Promise<number[]>
  tokenize(
    from: string | readonly ChatMessage[],
    options: { special?: boolean } & Pick<ChatOptions, 'tools' | 'templateVariables'> = {},
  ): Promise<number[]> {
    return this.call('tokenize', from, { ...options })
  }

  /** As Llm.detokenize(), but a promise: the tokenizer is in the other process. */
  detokenize(ids: ArrayLike<number>): Promise<string> {
    return this.call('detokenize', ids, {})
  }

  /** As Llm.resize(), but a promise. A host that is started again has all of the KV cache. */
  resize(size: { kvBytes: number }): Promise<number> {
    return this.call('resize', size, {})
  }

  memory(): Promise<HostMemory> {
    return this.call('memory', undefined, {})
  }

  /** Ends the process; what is unfinished rejects with KV_DISPOSED. */
  dispose(): Promise<void> {
    this.disposal ??= this.end()
    return this.disposal
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  private generation(
    method: 'chat' | 'generate',
    input: unknown,
    options: WithSignal,
    onPrompt: (text: string) => void = () => {},
  ): Generation {
    const { signal, ...rest } = options ?? {}
    const lane = {
      submit: (request: RemoteRequest) => {
        const { listener } = request
        request.id = request.connection.send(request.call, {
          resolve: (answer) => listener.resolve(answer as never),
          reject: (error) => listener.reject(error),
          piece: (piece) => listener.piece(piece),
          prompt: onPrompt,
        })
      },
      cancel: ({ connection, listener, id }: RemoteRequest, error?: unknown) => {
        connection.cancel(id, error !== undefined)
        if (error !== undefined) listener.reject(error)
      },
    }
    return new Generation<RemoteRequest>(
      lane,
      async (listener) => {
        const connection = await this.connected()
        return { connection, call: { method, input, options: rest }, listener, id: 0 }
      },
      signal,
    )
  }

  private async call<T>(method: Call['method'], input: unknown, options: WithSignal): Promise<T> {
    const { signal, ...rest } = options ?? {}
    return untilAborted(signalOf(signal), async () => {
      const connection = await this.connected()
      return connection.call<T>({ method, input, options: rest })
    })
  }

  private connected(): Promise<Connection> {
    if (this.disposal) return Promise.reject(disposed())
    this.connecting ??= this.begin()
    return this.connecting
  }

  private async begin(signal?: AbortSignal): Promise<Connection> {
    const connection = this.connect((error) => {
      this.forget(connection)
      this.options.onHostExit?.(error)
    })
    this.connection = connection
    try {
      const { onProgress, onHostExit, execPath, signal: _, ...options } = this.options
      const call = { method: 'load', input: this.spec, options } as const
      this.loaded = Object.freeze(await untilAborted(signal, async () => connection.call<ModelInfo>(call, onProgress)))
      return connection
    } catch (error) {
      this.forget(connection)
      await connection.close(error)
      throw error
    }
  }

  private forget(connection: Connection): void {
    if (this.connection !== connection) return
    this.connection = undefined
    this.connecting = undefined
  }

  private async end(): Promise<void> {
    const { connection } = this
    if (!connection) return
    // The host rejects what is in flight before it answers; one that is gone has nothing to give back.
    await connection.call({ method: 'dispose' }).result.catch(() => {})
    await connection.close(disposed())
    this.forget(connection)
  }
}

interface WithSignal {
  signal?: AbortSignal
  [option: string]: unknown
}

interface Running<T> {
  result: Promise<T>
  cancel(): void
}

/** The result of what `start` starts; when the signal fires it is cancelled, and this rejects with KV_ABORTED. */
async function untilAborted<T>(signal: AbortSignal | undefined, start: () => Promise<Running<T>>): Promise<T> {
  if (signal?.aborted) throw aborted(signal)
  let unlisten = () => {}
  const cancelled = new Promise<never>((_, reject) => {
    unlisten = onAbort(signal, reject)
  })
  const running = start()
  try {
    return await Promise.race([running.then(({ result }) => result), cancelled])
  } catch (error) {
    running.then(({ cancel }) => cancel()).catch(() => {}) // does nothing where it failed by itself
    throw error
  } finally {
    unlisten()
  }
}

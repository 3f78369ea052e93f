// The child process: holds one model, and does what the other side asks. Started by child.ts; ends with its parent.
import type { Llm } from '../engine/llm.ts'
import { type LoadOptions, load } from '../engine/load.ts'
import { type Call, plainError, type Question, type Reply } from './protocol.ts'

interface ParentPort {
  on(event: 'message', listener: (event: { data: Question }) => void): void
  postMessage(reply: Reply): void
}

const { parentPort } = process as { parentPort?: ParentPort }
const post = (reply: Reply) => (parentPort ? parentPort.postMessage(reply) : process.send?.(reply))

const running = new Map<number, () => void>() // how to end each call that can be ended
let llm: Llm | undefined

async function answer({ id, method, input, options }: Call): Promise<unknown> {
  if (method === 'load') {
    const onProgress = (progress: Parameters<NonNullable<LoadOptions['onProgress']>>[0]) => post({ id, progress })
    llm = await load(input as string, { ...options, signal: signalFor(id), onProgress })
    return llm.info
  }
  if (method === 'memory') return { pid: process.pid, ...process.memoryUsage() }
  if (!llm) throw new Error(`${method}() before load()`)
  switch (method) {
    case 'chat':
    case 'generate': {
      const asked = (options as { onPrompt?: boolean } | undefined)?.onPrompt // functions cannot cross
      const onPrompt = (prompt: string) => post({ id, prompt })
      const generation = llm[method](input as never, asked ? { ...options, onPrompt } : options)
      running.set(id, () => generation.abort())
      for await (const piece of generation) post({ id, piece })
      return await generation
    }
    case 'embed':
    case 'score':
      return llm[method](input as never, { ...options, signal: signalFor(id) })
    case 'tokenize':
      return llm.tokenize(input as string, options)
    case 'detokenize':
      return llm.detokenize(input as number[])
    case 'resize':
      return llm.resize(input as { kvBytes: number })
    case 'dispose':
      return llm.dispose()
  }
}

function signalFor(id: number): AbortSignal {
  const controller = new AbortController()
  running.set(id, () => controller.abort())
  return controller.signal
}

async function receive(question: Question): Promise<void> {
  if ('cancel' in question) return running.get(question.cancel)?.()
  const { id } = question
  try {
    post({ id, result: await answer(question) })
  } catch (error) {
    post({ id, error: plainError(error) })
  } finally {
    running.delete(id)
  }
}

if (parentPort) parentPort.on('message', ({ data }) => void receive(data))
else {
  process.on('message', (question: Question) => void receive(question))
  process.on('disconnect', () => process.exit())
}

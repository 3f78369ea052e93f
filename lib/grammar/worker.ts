// The thread that lib/grammar/compiler.ts starts: a format as JSON comes in, the words of its grammar go out.
import { parentPort } from 'node:worker_threads'
import { KvasirError } from '../errors.ts'
import { compilingFormat, refusingDepth } from './compile.ts'
import type { Answer } from './compiler.ts'

const port = parentPort!
const answer = (message: Answer, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

port.on('message', (format: string) => {
  try {
    const words = compiled(format)
    answer({ words }, [words.buffer as ArrayBuffer])
  } catch (error) {
    const { code, message, stack } = error as KvasirError
    answer(error instanceof KvasirError ? { refused: { code, message } } : { failed: stack ?? String(error) })
  }
})
answer('ready')

function compiled(format: string): Int32Array {
  const work = refusingDepth(compilingFormat(JSON.parse(format)))
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

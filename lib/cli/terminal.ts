// The terminal of kvasir chat: a line in, an answer out. Ctrl-C stops the answer; a second one leaves.
import { createInterface } from 'node:readline'
import { KvasirError } from '../errors.ts'
import type { Conversation } from './conversation.ts'

const HELP = '/help this list, /reset a new conversation, /exit leave; Ctrl-C stops an answer, twice leaves\n'

export async function talk(
  conversation: Conversation,
  model: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  const terminal = createInterface({ input, output, prompt: '> ' })
  let leaving = false
  let stopped = false
  const leave = () => {
    leaving = true
    conversation.stop()
    terminal.close()
  }
  terminal.on('SIGINT', () => {
    if (!conversation.answering || stopped) return leave()
    stopped = true
    conversation.stop()
  })

  output.write(`${model}. ${HELP}`)
  terminal.prompt()
  for await (const line of terminal) {
    const words = line.trim()
    stopped = false
    if (words === '/exit') leave()
    else if (words === '/reset') conversation.reset()
    else if (words.startsWith('/')) output.write(HELP)
    else if (words) await answer(conversation, words)
    if (leaving) break
    terminal.prompt()
  }
  output.write('\n')
}

async function answer(conversation: Conversation, question: string): Promise<void> {
  try {
    process.stderr.write(`${dim(await conversation.answer(question))}\n`)
  } catch (error) {
    // A question that cannot be answered does not end the conversation.
    if (!(error instanceof KvasirError)) throw error
    process.stderr.write(`${error.message}\n`)
  }
}

const dim = (text: string) => (process.stderr.isTTY ? `\x1b[2m${text}\x1b[22m` : text)

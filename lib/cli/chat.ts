// kvasir chat [MODEL] [WORDS …]: a conversation in the terminal, or one answer where words or a pipe ask for one.
import { existsSync } from 'node:fs'
import { text as read } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { Conversation } from './conversation.ts'
import { flagsHelp, loadOptions, modelFlags, samplingFlags, samplingOptions } from './flags.ts'
import { openModel } from './open-model.ts'
import { talk } from './terminal.ts'

const DEFAULT_MODEL = 'smollm2:135m'

export async function chatCommand(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { ...modelFlags, ...samplingFlags, system: { type: 'string' } },
  })
  if (values.help) {
    process.stdout.write(
      `kvasir chat [MODEL] [WORDS …]      default model: ${DEFAULT_MODEL}\n\n  --system TEXT         what the model is told first\n${flagsHelp}`,
    )
    return
  }
  const [model, words] = modelAndWords(positionals)
  const question = words || (process.stdin.isTTY ? '' : (await read(process.stdin)).trim())
  if (!question && !process.stdin.isTTY)
    throw new KvasirError('KV_ARGUMENT', 'nothing to answer: give words, a pipe, or a terminal')

  const llm = await openModel(model, loadOptions(values))
  try {
    const conversation = new Conversation(llm, samplingOptions(values), values.system, process.stdout)
    if (question) await once(conversation, question)
    else await talk(conversation, llm.info.name, process.stdin, process.stdout)
  } finally {
    await llm.dispose()
  }
}

// The first word is the model, unless it is plainly a sentence.
function modelAndWords([first, ...rest]: string[]): [string, string] {
  if (first === undefined) return [DEFAULT_MODEL, '']
  if (/\s/.test(first) && !existsSync(first)) return [DEFAULT_MODEL, [first, ...rest].join(' ')]
  return [first, rest.join(' ')]
}

async function once(conversation: Conversation, question: string): Promise<void> {
  const stop = () => conversation.stop()
  process.once('SIGINT', stop)
  process.stderr.write(`${await conversation.answer(question)}\n`)
  process.off('SIGINT', stop)
}

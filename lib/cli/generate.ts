// kvasir generate MODEL TEXT: continues a text.
import { text as read } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { flagsHelp, loadOptions, modelFlags, samplingFlags, samplingOptions } from './flags.ts'
import { openModel } from './open-model.ts'
import { figures } from './report.ts'

export async function generateCommand(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { ...modelFlags, ...samplingFlags },
  })
  if (values.help) {
    process.stdout.write(`kvasir generate MODEL TEXT      (or the text on stdin)\n\n${flagsHelp}`)
    return
  }
  const [model, ...words] = positionals
  if (model === undefined) throw new KvasirError('KV_ARGUMENT', 'expected a model: kvasir generate MODEL TEXT')
  if (words.length === 0 && process.stdin.isTTY)
    throw new KvasirError('KV_ARGUMENT', 'expected a text: kvasir generate MODEL TEXT, or a pipe')
  const prompt = words.length > 0 ? words.join(' ') : await read(process.stdin)

  const llm = await openModel(model, loadOptions(values))
  try {
    const generation = llm.generate(prompt, samplingOptions(values))
    const stop = () => generation.abort()
    process.once('SIGINT', stop)
    process.stdout.write(prompt)
    for await (const piece of generation) process.stdout.write(piece.text)
    process.off('SIGINT', stop)
    process.stderr.write(`\n${figures(await generation)}\n`)
  } finally {
    await llm.dispose()
  }
}

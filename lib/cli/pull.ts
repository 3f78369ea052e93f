// kvasir pull NAME: brings a model into the cache and prints its path.
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { CATALOGUE } from '../hub/catalogue.ts'
import { resolveModel } from '../hub/resolve.ts'
import { interruptible } from './interrupt.ts'
import { progressBar } from './progress.ts'

const USAGE = `kvasir pull NAME

Brings a model into the cache, once, and prints where it is.

  NAME   a name of the list below, hf:organisation/repository or hf:organisation/repository:file

The cache is KVASIR_CACHE, or the user's cache folder. HF_TOKEN opens private repositories, HF_ENDPOINT names a mirror.

`

export async function pullCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return void process.stdout.write(USAGE + known())
  const [name, ...rest] = positionals
  if (name === undefined || rest.length > 0)
    throw new KvasirError('KV_ARGUMENT', `pull takes one name, got ${positionals.length}; known here:\n${known()}`)
  const bar = progressBar()
  try {
    const path = await interruptible((signal) =>
      resolveModel(name, { signal, onProgress: ({ file, done, total }) => bar.update(file, done, total) }),
    )
    bar.stop()
    process.stdout.write(`${path}\n`)
  } finally {
    bar.stop()
  }
}

const known = () =>
  CATALOGUE.map(
    ({ name, title, license, bytes }) => `  ${name}   ${title}, ${(bytes / 1e6).toFixed(0)} MB, ${license}\n`,
  ).join('')

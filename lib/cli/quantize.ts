// kvasir quantize IN OUT --format F: any checkpoint to a GGUF file in another format.
import { realpath, stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { resolveModel } from '../hub/resolve.ts'
import { FORMATS, isWeightDtype } from '../weights/formats.ts'
import { openCheckpoint } from '../weights/open.ts'
import { quantizeCheckpoint } from '../weights/quantize.ts'
import { interruptible } from './interrupt.ts'
import { progressBar } from './progress.ts'

const formats = Object.keys(FORMATS).filter((name) => name !== 'f32')

const USAGE = `kvasir quantize IN OUT --format FORMAT

Writes the model IN (a .gguf file, a folder of safetensors, or a name) as the GGUF file OUT.

  --format   ${formats.join(', ')}
  --force    write over OUT

Norms and biases stay f32. The matrix that makes the logits keeps at least six bits. Rows that are not whole blocks of
the format become q8_0 or f16. Start from 16 bits where you can: what was quantised before loses precision twice.
`

export async function quantizeCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      format: { type: 'string', short: 'f' },
      force: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const [input, output, ...rest] = positionals
  if (input === undefined || output === undefined || rest.length > 0)
    throw new KvasirError('KV_ARGUMENT', `quantize takes IN and OUT, got ${positionals.length} arguments`)
  const format = values.format?.toLowerCase() ?? ''
  if (!isWeightDtype(format) || !formats.includes(format))
    throw new KvasirError(
      'KV_ARGUMENT',
      `--format ${values.format ?? 'is missing'}: expected one of ${formats.join(', ')}`,
    )
  const bar = progressBar()
  try {
    await interruptible(async (signal) => {
      const path = await resolveModel(input, {
        signal,
        onProgress: ({ file, done, total }) => bar.update(file, done, total),
      })
      bar.stop()
      const checkpoint = await openCheckpoint(path)
      const sources = new Set([...checkpoint.tensors.values()].map(({ file }) => file))
      await refuseOutput(output, [...sources], values.force === true)
      await quantizeCheckpoint(checkpoint, output, format, {
        signal,
        onProgress: (done, total) => bar.update(format, done, total),
        onNote: (note) => process.stderr.write(`note: ${note}\n`),
      })
      bar.stop()
      const [before, after] = await Promise.all([bytesOf([...sources]), bytesOf([output])])
      process.stdout.write(`${output}: ${mb(after)} MB, from ${mb(before)} MB\n`)
    })
  } finally {
    bar.stop()
  }
}

/** The output must not be one of the inputs, nor, without --force, be there. */
async function refuseOutput(output: string, sources: string[], force: boolean): Promise<void> {
  const real = await realpath(output).catch(() => undefined)
  if (real === undefined) return
  for (const source of sources) {
    if ((await realpath(source)) === real)
      throw new KvasirError('KV_ARGUMENT', `${output} is what is read: give another name for the result`)
  }
  if (!force) throw new KvasirError('KV_ARGUMENT', `${output} is there already: add --force to write over it`)
}

async function bytesOf(paths: string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const mb = (bytes: number) => (bytes / 1e6).toFixed(1)

// Models in fewer bits, made once and kept beside the downloads: KVASIR_CACHE/quantized/NAME-SOURCE-FORMAT-STATE.gguf. SOURCE
// stands for the path of the original, STATE for the sizes and times of its files and the version of our quantiser: when
// either changes, a new file takes the place of the old one.
//
// A file has its name only when it is whole. One process writes it and others wait, and should a lock fail, two write two
// files and the second takes the place of the first.
import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { KvasirError } from '../errors.ts'
import { exists } from '../files.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { WeightDtype } from '../weights/formats.ts'
import { openCheckpoint } from '../weights/open.ts'
import { quantizeCheckpoint } from '../weights/quantize.ts'
import { modelFolder } from './cache.ts'
import { diskError } from './errors.ts'
import { withLock } from './lock.ts'
import type { PullOptions } from './pull.ts'

/** Goes up when what quantising writes changes. */
const VERSION = 1

export const quantizedFolder = (): string => join(dirname(modelFolder()), 'quantized')

/** `checkpoint` with its matrices in `format`, from the cache, made if need be. Rejects with KV_DISK, KV_ABORTED, and as quantising does. */
export async function requantized(
  checkpoint: Checkpoint,
  format: WeightDtype,
  { signal, onProgress }: PullOptions = {},
): Promise<Checkpoint> {
  const folder = quantizedFolder()
  const { family, state } = await identity(checkpoint, format)
  const path = join(folder, `${family}${state}.gguf`)
  const known = await opened(path)
  if (known) return known
  await mkdir(folder, { recursive: true }).catch((cause) => Promise.reject(diskError(folder, cause)))
  return withLock(join(folder, `${family}lock`), signal, async () => {
    const made = await opened(path) // by another process, while we waited
    if (made) return made
    for (const name of await readdir(folder))
      if (name.startsWith(family) && name !== `${family}lock`) await rm(join(folder, name), { force: true })
    const own = `${path}.${process.pid}`
    await quantizeCheckpoint(checkpoint, own, format, {
      ...(signal && { signal }),
      onProgress: (done, total) => onProgress?.({ file: `weights in ${format}`, done, total }),
    })
    await rename(own, path).catch((cause) => Promise.reject(diskError(path, cause)))
    return openCheckpoint(path)
  })
}

/** True when it need not be made any more. */
export async function isRequantized(checkpoint: Checkpoint, format: WeightDtype): Promise<boolean> {
  const { family, state } = await identity(checkpoint, format)
  return exists(join(quantizedFolder(), `${family}${state}.gguf`))
}

// A file that cannot be read was damaged: it is made again.
async function opened(path: string): Promise<Checkpoint | undefined> {
  if (!(await exists(path))) return undefined
  return openCheckpoint(path).catch((error) => {
    if (error instanceof KvasirError && error.code === 'KV_FORMAT') return undefined
    throw error
  })
}

/** Names what is read to make the file: weights, and the configuration and the tokenizer beside them. */
async function identity(
  { path, kind, tensors }: Checkpoint,
  format: WeightDtype,
): Promise<{ family: string; state: string }> {
  const files = new Set([...tensors.values()].map(({ file }) => file))
  if (kind === 'safetensors') {
    const folder = (await stat(path)).isDirectory() ? path : dirname(path)
    for (const name of await readdir(folder)) if (/\.(json|jinja|model)$/.test(name)) files.add(join(folder, name))
  }
  const states = await Promise.all(
    [...files].sort().map(async (file) => {
      const { size, mtimeMs } = await stat(file)
      return [file, size, mtimeMs]
    }),
  )
  const source = await realpath(path)
  const name = basename(path)
    .replace(/\.(gguf|safetensors)$/, '')
    .replace(/[^\w.-]/g, '_')
    .slice(0, 60)
  return { family: `${name}-${hash(source)}-${format}-`, state: hash(JSON.stringify([VERSION, states])) }
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

// Brings a model of the catalogue into the cache: the first source that works, once however many processes ask.
import { join } from 'node:path'
import { KvasirError } from '../errors.ts'
import { exists, mkdir } from '../files.ts'
import { modelFolder } from './cache.ts'
import type { CatalogueEntry, Source } from './catalogue.ts'
import { aborted, diskError } from './errors.ts'

export interface Progress {
  /** Name of the file. */
  file: string
  done: number
  /** 0 where the server does not say. */
  total: number
}

export interface PullOptions {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
}

/** Path of the entry's file, fetched if need be. */
export async function pull(entry: CatalogueEntry, options: PullOptions = {}): Promise<string> {
  const folder = modelFolder()
  const path = join(folder, entry.file)
  if (await exists(path)) return path
  await mkdir(folder, { recursive: true }).catch((cause) => Promise.reject(diskError(folder, cause)))
  const { withLock } = await import('./lock.ts')
  return withLock(`${path}.lock`, options.signal, async () => {
    // Another process may have brought it while we waited.
    if (!(await exists(path))) await fromAny(entry, path, options)
    return path
  })
}

async function fromAny(entry: CatalogueEntry, path: string, options: PullOptions): Promise<void> {
  const failures: KvasirError[] = []
  for (const source of entry.sources) {
    if (options.signal?.aborted) throw aborted()
    try {
      return await from(source, entry, path, options)
    } catch (error) {
      if (!(error instanceof KvasirError) || error.code === 'KV_ABORTED' || error.code === 'KV_DISK') throw error
      failures.push(error)
    }
  }
  const last = failures.at(-1)
  throw new KvasirError(
    last?.code ?? 'KV_NETWORK',
    `no source of ${entry.name} worked: ${failures.map(({ message }) => message).join('. Then: ')}. Or put the file at ${path} yourself.`,
    { cause: last },
  )
}

async function from(source: Source, entry: CatalogueEntry, path: string, options: PullOptions): Promise<void> {
  const { bytes, sha256, file } = entry
  const { signal } = options
  const onProgress = (done: number, total: number) => options.onProgress?.({ file, done, total })
  const to = { bytes, sha256, signal, onProgress }
  // What downloads is not read for a model that is here.
  if (source.kind === 'https') await (await import('./download.ts')).download(source.url, path, to)
  else await (await import('./pip.ts')).downloadFromPip(source, path, to)
}

// Opens a checkpoint by path: a .gguf file, a .safetensors file in its folder, or a folder with either.
import { basename, dirname, join } from 'node:path'
import { KvasirError } from '../errors.ts'
import { readdir, stat } from '../files.ts'
import type { Checkpoint } from './checkpoint.ts'
import { openGguf } from './gguf-checkpoint.ts'
import { openFolder } from './hf-folder.ts'

/** Reads headers and configuration, never weights. Throws KV_NOT_FOUND, KV_FORMAT or KV_UNSUPPORTED. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const stats = await stat(path).catch((cause) => {
    throw new KvasirError('KV_NOT_FOUND', `there is no file or folder ${path}`, { cause })
  })
  if (stats.isDirectory()) return openDirectory(path)
  if (path.endsWith('.safetensors')) return openFolder(dirname(path), basename(path))
  return openGguf(path)
}

async function openDirectory(folder: string): Promise<Checkpoint> {
  const names = await readdir(folder)
  if (names.some((name) => name === 'model.safetensors' || name === 'model.safetensors.index.json'))
    return openFolder(folder)
  const files = names.filter((name) => /\.(gguf|safetensors)$/.test(name)).sort()
  if (files.length === 1) return openCheckpoint(join(folder, files[0]!))
  throw new KvasirError(
    'KV_NOT_FOUND',
    files.length === 0
      ? `${folder} holds no .gguf and no .safetensors file`
      : `${folder} holds ${files.length} models (${files.slice(0, 5).join(', ')}${files.length > 5 ? ', …' : ''}): name one of them`,
  )
}

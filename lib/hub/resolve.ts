// What a user calls a model to a path: a name of the catalogue, hf:org/repo[:file], a file, or a folder.
import { resolve } from 'node:path'
import { unpackedPath } from '../asar.ts'
import { KvasirError } from '../errors.ts'
import { exists } from '../files.ts'
import { CATALOGUE, findEntry } from './catalogue.ts'
import { type PullOptions, pull } from './pull.ts'

/** Fetches what is not here yet. Throws KV_NOT_FOUND for what is none of these, and as pull() does. */
export async function resolveModel(spec: string, options: PullOptions = {}): Promise<string> {
  if (spec.startsWith('hf:')) {
    const { parseHubSpec, pullFromHub } = await import('./hugging-face.ts')
    const hub = parseHubSpec(spec)
    if (hub) return pullFromHub(hub, options)
  }
  const entry = findEntry(spec)
  if (entry) return pull(entry, options)
  const path = unpackedPath(resolve(spec)) // mapped by native code, which knows no archives
  if (spec !== '' && (await exists(path))) return path
  throw new KvasirError(
    'KV_NOT_FOUND',
    `there is no model ${JSON.stringify(spec)}: give a name (${CATALOGUE.map(({ name }) => name).join(', ')}), hf:organisation/repository, or the path of a .gguf file or a folder`,
  )
}

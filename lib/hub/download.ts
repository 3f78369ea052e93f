// Fetches one file over HTTP(S). Bytes go to `path`.part, which a later try continues (Range, RFC 9110 §14); the file
// appears under its own name only when its length and checksum are right.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KvasirError } from '../errors.ts'
import { aborted, diskError, megabytes, networkError, reasonOf } from './errors.ts'

/** Until the answer begins: a proxy that swallows connections must not hold up the next source. */
const CONNECT_MS = 5000
/** Between two pieces of the body. */
const STALL_MS = 30_000
/** Times that a cut connection is taken up again, as long as bytes arrive. */
const TRIES = 4
const RETRY_MS = 500

export interface DownloadOptions {
  /** Expected length and SHA-256; what is not known is not checked. */
  bytes?: number | undefined
  sha256?: string | undefined
  headers?: Record<string, string> | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
}

/** Throws KV_NETWORK, KV_NOT_FOUND, KV_CHECKSUM, KV_DISK or KV_ABORTED. */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((cause) => Promise.reject(diskError(path, cause)))
  const part = `${path}.part`
  // Without a checksum nobody could tell that two halves belong to two versions.
  if (options.sha256 === undefined) await rm(part, { force: true })
  const old = await sizeOf(part)
  await fetchWhole(url, part, options)
  try {
    await accept(part, path, options)
  } catch (error) {
    if ((error as KvasirError).code !== 'KV_CHECKSUM' || old === 0) throw error
    // What an earlier try had left was of another file; it is gone now.
    await fetchWhole(url, part, options)
    await accept(part, path, options)
  }
}

async function fetchWhole(url: string, part: string, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(part)
    try {
      return await fetchInto(url, part, before, options)
    } catch (error) {
      const arrived = (await sizeOf(part)) > before
      const again = (error as KvasirError).code === 'KV_NETWORK' && arrived && attempt < TRIES
      if (!again || options.signal?.aborted) throw error
      await sleep(RETRY_MS * attempt, undefined, { signal: options.signal }).catch(() => Promise.reject(aborted()))
    }
  }
}

/** Gives `part` its final name if it is what was promised, and removes it otherwise. */
export async function accept(part: string, path: string, { bytes, sha256 }: DownloadOptions): Promise<void> {
  const size = await sizeOf(part)
  const sum = sha256 === undefined ? undefined : await sha256Of(part)
  if ((bytes !== undefined && size !== bytes) || sum !== sha256) {
    await rm(part, { force: true })
    throw new KvasirError(
      'KV_CHECKSUM',
      `what was sent for ${path} is not what was promised (${size} bytes, SHA-256 ${sum?.slice(0, 12)}…; expected ${bytes ?? size} bytes, ${sha256?.slice(0, 12)}…): it was deleted, try again or take another source`,
    )
  }
  await rename(part, path).catch((cause) => Promise.reject(diskError(path, cause)))
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 18 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** Throws KV_DISK unless `bytes` more fit on the disk of `folder`. */
export async function checkSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  throw new KvasirError(
    'KV_DISK',
    `${folder} has ${megabytes(bavail * bsize)} free, but ${megabytes(bytes)} are needed: free some space or set KVASIR_CACHE to a folder on another disk`,
  )
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )

async function fetchInto(url: string, part: string, have: number, options: DownloadOptions): Promise<void> {
  const { bytes, signal, onProgress } = options
  if (bytes !== undefined && have === bytes) return
  if (bytes !== undefined) await checkSpace(dirname(part), bytes - have)

  const timer = new Watchdog(signal)
  try {
    timer.start(CONNECT_MS, 'no answer within 5 seconds')
    const headers: Record<string, string> = { ...options.headers, 'accept-encoding': 'identity' }
    if (have > 0) headers['range'] = `bytes=${have}-`
    const response = await fetch(url, { headers, signal: timer.signal })
    if (response.status === 416 && have > 0) {
      // More on disk than there is to have: it is of another file.
      await rm(part, { force: true })
      return await fetchInto(url, part, 0, options)
    }
    if (!response.ok || !response.body) throw refused(url, response)
    const resumed = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`)
    const start = resumed ? have : 0
    const rest = response.headers.get('content-length')
    const total = bytes ?? (rest === null ? 0 : start + Number(rest))
    if (bytes === undefined && total > 0) await checkSpace(dirname(part), total - start)
    await save(response.body, part, start, total, timer, onProgress)
  } catch (error) {
    if (error instanceof KvasirError) throw error
    if (signal?.aborted) throw aborted()
    throw networkError(url, timer.reason ?? reasonOf(error), error)
  } finally {
    timer.stop()
  }
}

async function save(
  body: ReadableStream<Uint8Array>,
  part: string,
  start: number,
  total: number,
  timer: Watchdog,
  onProgress: DownloadOptions['onProgress'],
): Promise<void> {
  const file = await open(part, start > 0 ? 'r+' : 'w').catch((cause) => Promise.reject(diskError(part, cause)))
  let done = start
  try {
    onProgress?.(done, total)
    timer.start(STALL_MS, 'no data for 30 seconds')
    for await (const piece of body) {
      timer.start(STALL_MS, 'no data for 30 seconds')
      // A server that sends more than it promised is not let to fill the disk.
      if (total > 0 && done + piece.length > total) throw new Error('more bytes than promised')
      for (let sent = 0; sent < piece.length; ) {
        const write = file.write(piece, sent, piece.length - sent, done + sent)
        sent += (await write.catch((cause) => Promise.reject(diskError(part, cause)))).bytesWritten
      }
      done += piece.length
      onProgress?.(done, total)
    }
    if (done < total) throw new Error(`the connection ended after ${done} of ${total} bytes`)
  } finally {
    await file.close()
  }
}

/** Aborts when the caller does or when a wait takes too long. */
class Watchdog {
  reason: string | undefined
  private readonly controller = new AbortController()
  private timer: NodeJS.Timeout | undefined
  readonly signal: AbortSignal

  constructor(caller: AbortSignal | undefined) {
    this.signal = caller ? AbortSignal.any([caller, this.controller.signal]) : this.controller.signal
  }

  start(milliseconds: number, reason: string): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.reason = reason
      this.controller.abort()
    }, milliseconds)
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}

function refused(url: string, response: Response): KvasirError {
  void response.body?.cancel()
  if (response.status === 404) return new KvasirError('KV_NOT_FOUND', `there is no ${url} (404): check the name`)
  if (response.status === 401 || response.status === 403)
    return new KvasirError(
      'KV_NETWORK',
      `${new URL(url).host} answered ${response.status} for ${url}: accept the model's terms there and set HF_TOKEN, or check the name`,
    )
  return networkError(url, `it answered ${response.status} ${response.statusText}`)
}

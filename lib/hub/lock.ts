// One process at a time fetches a file: a lock file beside it, whose age tells whether its owner still lives. Two that
// steal one stale lock in the same instant would spoil each other's download, which its checksum then shows.
import { open, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { aborted, diskError } from './errors.ts'

const BEAT_MS = 2000
const STALE_MS = 15_000
const POLL_MS = 200

/** Runs `work` while holding the lock `path`; waits for another owner to finish. */
export async function withLock<T>(path: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  while (!(await take(path))) await sleep(POLL_MS, undefined, { signal }).catch(() => Promise.reject(aborted()))
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, BEAT_MS)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError(path, error)
  }
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0, // gone in the meantime: the next try takes it
  )
  if (age > STALE_MS) await rm(path, { force: true })
  return false
}

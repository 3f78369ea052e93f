// The errors of fetching a model, each with what to do about it.
import { KvasirError } from '../errors.ts'

export const aborted = () =>
  new KvasirError('KV_ABORTED', 'the download was stopped; what has arrived is kept for the next try')

export function diskError(path: string, cause: unknown): KvasirError {
  const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
  return new KvasirError(
    'KV_DISK',
    full
      ? `the disk is full while writing ${path}: free some space or set KVASIR_CACHE to a folder on another disk`
      : `cannot write ${path} (${(cause as Error).message}): check its permissions or set KVASIR_CACHE to another folder`,
    { cause },
  )
}

export function networkError(url: string, reason: string, cause?: unknown): KvasirError {
  const { host } = new URL(url)
  return new KvasirError('KV_NETWORK', `cannot fetch from ${host}: ${reason}; check the connection and try again`, {
    cause,
  })
}

export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

/** The innermost message: fetch wraps what the socket said. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? reasonOf(cause) || message : message
}

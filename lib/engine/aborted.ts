// AbortSignals: listening to one, and the error when it has fired.
import { setMaxListeners } from 'node:events'
import { KvasirError } from '../errors.ts'

export function aborted(signal: AbortSignal): KvasirError {
  return new KvasirError('KV_ABORTED', "the call was ended by the caller's AbortSignal", { cause: signal.reason })
}

/** Calls `end` when the signal fires, until the returned function is called. */
export function onAbort(signal: AbortSignal | undefined, end: (error: KvasirError) => void): () => void {
  if (!signal) return () => {}
  const listener = () => end(aborted(signal))
  // One signal for a thousand calls is use, not a leak: no warning after ten.
  if (signal instanceof EventTarget) setMaxListeners(0, signal)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

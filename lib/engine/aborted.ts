// The error of a call whose AbortSignal fired.
import { KvasirError } from '../errors.ts'

export function aborted(signal: AbortSignal): KvasirError {
  return new KvasirError('KV_ABORTED', "the call was ended by the caller's AbortSignal", { cause: signal.reason })
}

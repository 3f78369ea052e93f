// Every error that Kvasir raises on purpose. The code is stable; the message says what was found, what was expected
// and what to do.

export type ErrorCode =
  | 'KV_ADDON' // the native addon is missing or does not fit this system
  | 'KV_ABORTED' // the caller's AbortSignal fired
  | 'KV_ARGUMENT' // an option or argument is out of range or of the wrong type
  | 'KV_CHECKSUM' // a downloaded file is not what the catalogue promises
  | 'KV_DEADLINE' // a deadline passed before the answer had begun, or cannot be met
  | 'KV_DISK' // no space, no permission
  | 'KV_DISPOSED' // the object was used after dispose()
  | 'KV_FORMAT' // a model file is malformed
  | 'KV_HOST' // the process that ran the model ended
  | 'KV_NATIVE' // the native side refused what it was given
  | 'KV_NETWORK' // a download failed and can be tried again
  | 'KV_NOT_FOUND' // no such model, file or name
  | 'KV_TEMPLATE' // the checkpoint's chat template failed
  | 'KV_TOO_LONG' // prompt and maxTokens can never fit
  | 'KV_TOOL' // a program that we need (pip, a compiler) is missing
  | 'KV_UNSUPPORTED' // well-formed, but not something that Kvasir runs

/** An error with a stable `code`. `instanceof` works within one copy of the package; `code` works across copies. */
export class KvasirError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KvasirError'
    this.code = code
  }
}

/** The same error as a KvasirError where it came from the addon, which throws plain ones with a code. */
export function fromNative(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (error instanceof KvasirError || typeof code !== 'string' || !code.startsWith('KV_')) return error
  return new KvasirError(code as ErrorCode, String(message), { cause: error })
}

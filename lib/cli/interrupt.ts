// Ctrl-C as an AbortSignal, so that work ends in order; a second one ends the process as usual.

/** Runs `work` with a signal that fires on SIGINT. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => controller.abort()
  process.once('SIGINT', stop)
  try {
    return await work(controller.signal)
  } finally {
    process.removeListener('SIGINT', stop)
  }
}

// Requests whose result is one promise: scores and embeddings.
import { aborted, onAbort } from './aborted.ts'
import type { Engine } from './engine.ts'
import type { Outcome, Request } from './request.ts'

/** Submits what `make` gives and waits for its result. Rejects with KV_ABORTED when `signal` fires. */
export async function call<T>(
  engine: Engine,
  make: (outcome: Outcome<T>) => Request<T>,
  signal?: AbortSignal,
): Promise<T> {
  if (signal?.aborted) throw aborted(signal)
  let unlisten = () => {}
  const result = new Promise<T>((resolve, reject) => {
    const request = make({ resolve, reject })
    engine.submit(request)
    unlisten = onAbort(signal, (error) => engine.cancel(request, error))
  })
  return result.finally(unlisten)
}

/** The results of all calls; when one fails, or `signal` fires, none of the others goes on. */
export async function together<T>(
  signal: AbortSignal | undefined,
  start: (group: AbortSignal) => Promise<T>[],
): Promise<T[]> {
  if (signal?.aborted) throw aborted(signal)
  const group = new AbortController()
  const unlisten = onAbort(signal, (error) => group.abort(error.cause))
  try {
    return await Promise.all(start(group.signal))
  } finally {
    unlisten()
    group.abort()
  }
}

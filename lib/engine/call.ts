// A request whose result is one promise: scores and embeddings.
import { aborted } from './aborted.ts'
import type { Engine } from './engine.ts'
import type { Outcome, Request } from './request.ts'

/** Submits what `make` gives and waits for its result. Rejects with KV_ABORTED when `signal` fires. */
export function call<T>(engine: Engine, make: (outcome: Outcome<T>) => Request<T>, signal?: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) throw aborted(signal)
    const onAbort = () => engine.cancel(request, aborted(signal!))
    const over = () => signal?.removeEventListener('abort', onAbort)
    const request = make({
      resolve: (result) => {
        over()
        resolve(result)
      },
      reject: (error) => {
        over()
        reject(error)
      },
    })
    engine.submit(request)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

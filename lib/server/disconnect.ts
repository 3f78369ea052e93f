// The end of a connection as an AbortSignal.
import type { Ctx } from './shared.ts'

/** Fires when the client is gone before its answer is complete. */
export function disconnect(c: Ctx): AbortSignal {
  const { outgoing } = c.env
  const controller = new AbortController()
  if (outgoing.destroyed) controller.abort()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) controller.abort()
  })
  return controller.signal
}

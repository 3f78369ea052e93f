// Generations as a stream of events. What fails before the first piece has a status of its own; what fails later is told in
// the stream.
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Generation } from '../engine/generation.ts'
import { apiError, isInternal } from './errors.ts'
import { PieceFlow } from './piece-flow.ts'
import type { Ctx, Shared } from './shared.ts'
import { EventStream } from './sse.ts'

/** Calls `write` with the stream and the pieces, once there is a first one. Nothing goes on when it has returned. */
export async function streamed(
  c: Ctx,
  shared: Shared,
  generations: readonly Generation[],
  write: (events: EventStream, pieces: PieceFlow) => Promise<void>,
): Promise<Response> {
  const pieces = new PieceFlow(shared.pace, generations)
  try {
    await pieces.begun()
    const events = new EventStream(c, shared.options.stallTimeoutMs)
    try {
      await write(events, pieces)
    } catch (cause) {
      const error = apiError(cause)
      c.var.record.error = error
      if (isInternal(error)) shared.logger.error({ err: cause }, 'internal error')
      events.send(error.body)
    }
    events.end()
    return RESPONSE_ALREADY_SENT
  } finally {
    for (const generation of generations) generation.abort()
  }
}

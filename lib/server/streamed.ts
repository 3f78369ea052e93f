// A generation as a stream of events. What fails before the first piece has a status of its own; what fails later is told
// in the stream.
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { apiError, isInternal } from './errors.ts'
import type { Pace } from './pace.ts'
import type { Ctx, Shared } from './shared.ts'
import { EventStream } from './sse.ts'

/** Calls `write` with the stream and the pieces, once there is a first one. */
export async function streamed<P>(
  c: Ctx,
  shared: Shared,
  source: AsyncIterable<P>,
  write: (events: EventStream, pieces: AsyncIterable<P>) => Promise<void>,
): Promise<Response> {
  const pieces = source[Symbol.asyncIterator]()
  const first = await pieces.next()
  const events = new EventStream(c, shared.options.stallTimeoutMs)
  try {
    await write(events, following(shared.pace, first, pieces))
  } catch (cause) {
    const error = apiError(cause)
    c.var.record.error = error
    if (isInternal(error)) shared.logger.error({ err: cause }, 'internal error')
    events.send(error.body)
  }
  events.end()
  return RESPONSE_ALREADY_SENT
}

async function* following<P>(pace: Pace, first: IteratorResult<P>, rest: AsyncIterator<P>): AsyncGenerator<P> {
  for (let next = first; !next.done; next = await rest.next()) {
    await pace.turn()
    yield next.value
  }
}

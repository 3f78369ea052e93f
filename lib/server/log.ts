// One structured line for each request. What users write and what models answer is in none of them.
import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { Answer } from '../engine/answer.ts'
import type { Env, Shared } from './shared.ts'

/** What the server needs of a logger; pino's have it. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export const silent: Logger = { info() {}, warn() {}, error() {} }

/** What becomes known of a request on its way. */
export interface Record {
  answer?: Pick<Answer, 'usage'> & Partial<Answer>
  error?: { code: string | null; cause?: unknown }
}

export function logged(shared: Shared): MiddlewareHandler<Env> {
  return async (c, next) => {
    const begun = performance.now()
    const id = c.req.header('x-request-id')?.slice(0, 128) || randomUUID()
    const record: Record = {}
    c.set('record', record)
    c.header('x-request-id', id)
    const { outgoing } = c.env
    outgoing.once('close', () => {
      const { answer, error } = record
      const ms = performance.now() - begun
      const status = outgoing.writableFinished || outgoing.headersSent ? outgoing.statusCode : 499
      shared.metrics.requested(shared.routeOf(c.req.path), status, ms)
      const fields = {
        ...{ id, method: c.req.method, path: c.req.path, status, ms: Math.round(ms) },
        ...(c.var.tenant?.name && { tenant: c.var.tenant.name }),
        ...(!outgoing.writableFinished && { gone: true }),
        ...(error && { code: error.code }),
        ...(answer && { ...answer.usage, finishReason: answer.finishReason }),
        ...(answer?.timings && {
          ttftMs: Math.round(answer.timings.ttftMs),
          queueMs: Math.round(answer.timings.queueMs),
        }),
      }
      if (status >= 500) shared.logger.warn(fields, 'request')
      else shared.logger.info(fields, 'request')
    })
    await next()
  }
}

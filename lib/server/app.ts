// The routes, and what every request passes on its way to them.
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { authorized } from './auth.ts'
import { ApiError, apiError, isInternal } from './errors.ts'
import { live } from './live.ts'
import { logged } from './log.ts'
import { page } from './page-files.ts'
import { chat } from './routes/chat.ts'
import { completions } from './routes/completions.ts'
import { embeddings } from './routes/embeddings.ts'
import { health } from './routes/health.ts'
import { models } from './routes/models.ts'
import { responses } from './routes/responses.ts'
import { tokenize } from './routes/tokenize.ts'
import type { Ctx, Env, Shared } from './shared.ts'

const GUARDED = ['/v1/*', '/tokenize', '/detokenize', '/live']
const STATUS_PATHS = ['/health', '/ready', '/metrics']

export function createApp(shared: Shared): Hono<Env> {
  const app = new Hono<Env>()
  const { cors: origin } = shared.options
  app.use('*', logged(shared))
  if (origin.length > 0) app.use('*', cors({ origin: origin as string | string[], maxAge: 600 }))
  app.use('*', async (c, next) => {
    if (!shared.ready && !STATUS_PATHS.includes(c.req.path)) throw stopping()
    await next()
  })
  for (const path of GUARDED) app.use(path, authorized(shared))
  health(app, shared)
  models(app, shared)
  chat(app, shared)
  completions(app, shared)
  responses(app, shared)
  embeddings(app, shared)
  tokenize(app, shared)
  if (shared.options.page) {
    live(app, shared)
    page(app)
  }

  app.notFound((c) =>
    refuse(c, shared, new ApiError(404, `there is no ${c.req.method} ${c.req.path}`, { code: 'not_found' })),
  )
  // A client that went away while it was still asking: nobody reads the answer, and nothing is wrong with us.
  const gone = new ApiError(499, 'the client is gone', { code: 'client_gone' })
  app.onError((error, c) => refuse(c, shared, c.env.incoming.errored ? gone : apiError(error)))
  return app
}

function stopping(): ApiError {
  return new ApiError(503, 'the server is stopping', { code: 'shutting_down', retryAfter: 5 })
}

function refuse(c: Ctx, shared: Shared, error: ApiError): Response {
  c.var.record.error = error
  if (isInternal(error)) shared.logger.error({ err: error.cause ?? error }, 'internal error')
  if (error.status === 401) c.header('www-authenticate', 'Bearer')
  return c.json(error.body, error.status as ContentfulStatusCode, error.headers)
}

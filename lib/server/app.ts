// The routes, and what every request passes on its way to them.
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
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
import { tokenize } from './routes/tokenize.ts'
import type { Ctx, Env, Shared } from './shared.ts'

const GUARDED = ['/v1/*', '/tokenize', '/detokenize', '/live']
const STATUS_PATHS = ['/health', '/ready', '/metrics']

export function createApp(shared: Shared): Hono<Env> {
  const app = new Hono<Env>()
  const { maxBodyBytes, cors: origin } = shared.options
  app.use('*', logged(shared))
  if (origin.length > 0) app.use('*', cors({ origin: origin as string | string[], maxAge: 600 }))
  app.use('*', async (c, next) => {
    if (!shared.ready && !STATUS_PATHS.includes(c.req.path)) throw stopping()
    await next()
  })
  for (const path of GUARDED) app.use(path, authorized(shared))
  const tooLarge = () => {
    throw new ApiError(413, `the body is larger than ${maxBodyBytes} bytes`, { code: 'body_too_large' })
  }
  app.use('*', bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge }))

  health(app, shared)
  models(app, shared)
  chat(app, shared)
  completions(app, shared)
  embeddings(app, shared)
  tokenize(app, shared)
  live(app, shared)
  page(app)

  app.notFound((c) =>
    refuse(c, shared, new ApiError(404, `there is no ${c.req.method} ${c.req.path}`, { code: 'not_found' })),
  )
  app.onError((error, c) => refuse(c, shared, apiError(error)))
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

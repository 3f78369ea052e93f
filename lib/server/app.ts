// The routes, and what every request passes on its way to them.
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ApiError, apiError } from './errors.ts'
import { live } from './live.ts'
import { page } from './page-files.ts'
import { chat } from './routes/chat.ts'
import { health } from './routes/health.ts'
import { models } from './routes/models.ts'
import type { Env, Shared } from './shared.ts'

export function createApp(shared: Shared): Hono<Env> {
  const app = new Hono<Env>()
  const { maxBodyBytes } = shared.options
  const tooLarge = () => {
    throw new ApiError(413, `the body is larger than ${maxBodyBytes} bytes`, { code: 'body_too_large' })
  }
  app.use('*', bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge }))

  health(app, shared)
  models(app, shared)
  chat(app, shared)
  live(app, shared)
  page(app)

  app.notFound((c) => {
    const message = `there is no ${c.req.method} ${c.req.path}`
    return c.json(new ApiError(404, message, { code: 'not_found' }).body, 404)
  })
  app.onError((error, c) => {
    const failure = apiError(error)
    return c.json(failure.body, failure.status as ContentfulStatusCode, failure.headers)
  })
  return app
}

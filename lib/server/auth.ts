// API keys: Authorization: Bearer KEY, as OpenAI's clients send it.
import type { MiddlewareHandler } from 'hono'
import { ApiError } from './errors.ts'
import type { Env, Shared } from './shared.ts'

export function authorized(shared: Shared): MiddlewareHandler<Env> {
  return async (c, next) => {
    const key = /^Bearer\s+(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? c.req.header('x-api-key')
    const tenant = shared.tenants.find(key)
    if (!tenant)
      throw new ApiError(
        401,
        key === undefined ? 'an API key is needed: Authorization: Bearer KEY' : 'no such API key',
        {
          code: 'invalid_api_key',
        },
      )
    c.set('tenant', tenant)
    await next()
  }
}

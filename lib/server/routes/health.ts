// GET /health: the process answers. GET /ready: it takes new work.
import type { Hono } from 'hono'
import type { Env, Shared } from '../shared.ts'

export function health(app: Hono<Env>, shared: Shared): void {
  app.get('/health', (c) => c.json({ status: 'ok' }))
  app.get('/ready', (c) => (shared.ready ? c.json({ status: 'ready' }) : c.json({ status: 'stopping' }, 503)))
}

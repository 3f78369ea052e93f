// GET /health: the process answers. GET /ready: it takes new work. GET /metrics: figures for Prometheus.
import type { Hono } from 'hono'
import type { Env, Shared } from '../shared.ts'

export function health(app: Hono<Env>, shared: Shared): void {
  app.get('/health', (c) => c.json({ status: 'ok' }))
  app.get('/ready', (c) => (shared.ready ? c.json({ status: 'ready' }) : c.json({ status: 'stopping' }, 503)))
  app.get('/metrics', async (c) => {
    const { metrics } = shared
    return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType })
  })
}

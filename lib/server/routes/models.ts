// GET /v1/models and /v1/models/:id.
import type { Hono } from 'hono'
import { type Env, type Shared, servedName } from '../shared.ts'

export function models(app: Hono<Env>, shared: Shared): void {
  const card = (id: string) => ({
    id,
    object: 'model',
    created: shared.created,
    owned_by: 'kvasir',
    max_model_len: shared.llm.info.context, // as in vLLM
  })
  app.get('/v1/models', (c) => c.json({ object: 'list', data: [card(shared.options.names[0]!)] }))
  // Names may have slashes: organisation/repository.
  app.get('/v1/models/:id{.+}', (c) => c.json(card(servedName(shared, c.req.param('id')))))
}

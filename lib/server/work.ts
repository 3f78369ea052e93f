// A request that makes the model compute: whether it may begin, for whom, and what is known of it when it is over.
import type { Answer } from '../engine/answer.ts'
import { PRIORITIES, type Priority, type Service } from '../scheduler/service.ts'
import { ApiError } from './errors.ts'
import type { Ctx, Shared } from './shared.ts'
import type { Tenant } from './tenants.ts'

export interface Work {
  /** Options for the call of the model: class, deadline, tenant, and a signal that fires when the client is gone. */
  service: Service & { signal: AbortSignal }
  /** The answer is complete: what it took is counted. */
  answered(answer: Pick<Answer, 'usage'> & Partial<Answer>): void
}

/** Throws 503 when the server is stopping or full, 429 when the tenant is at its limits, 400 for a wrong header. */
export function begin(c: Ctx, shared: Shared): Work {
  const tenant = c.var.tenant
  const priority = priorityOf(c, tenant)
  const deadlineMs = deadlineOf(c)
  const { maxQueued } = shared.options
  const most = shared.llm.info.maxSequences + maxQueued
  if (shared.working >= most)
    throw new ApiError(503, `${shared.working} requests are running or waiting, which is all that this server takes`, {
      ...{ code: 'overloaded', retryAfter: 1 },
    })
  tenant.limiter.begin()
  shared.working++
  const { outgoing } = c.env
  const controller = new AbortController()
  const closed = () => {
    shared.working--
    tenant.limiter.end()
    if (!outgoing.writableFinished) controller.abort()
  }
  if (outgoing.destroyed) closed()
  else outgoing.once('close', closed)
  for (const [name, value] of Object.entries(tenant.limiter.headers())) c.header(name, value)
  return {
    service: { priority, tenant: tenant.name, signal: controller.signal, ...(deadlineMs && { deadlineMs }) },
    answered(answer) {
      tenant.limiter.took(answer.usage.promptTokens + answer.usage.completionTokens)
      shared.metrics.answered(answer)
      c.var.record.answer = answer
    },
  }
}

// Nobody gets a better class than its key has.
function priorityOf(c: Ctx, { class: usual, best }: Tenant): Priority {
  const asked = c.req.header('x-kvasir-priority')
  if (asked === undefined) return usual
  const rank = PRIORITIES.indexOf(asked as Priority)
  if (rank < 0) throw header('x-kvasir-priority', PRIORITIES.join(', '), asked)
  return PRIORITIES[Math.max(rank, PRIORITIES.indexOf(best))]!
}

function deadlineOf(c: Ctx): number | undefined {
  const asked = c.req.header('x-kvasir-deadline-ms')
  if (asked === undefined) return undefined
  const ms = Number(asked)
  if (Number.isFinite(ms) && ms > 0) return ms
  throw header('x-kvasir-deadline-ms', 'a number of milliseconds above 0', asked)
}

function header(name: string, what: string, found: string): ApiError {
  return new ApiError(400, `${name}: expected ${what}, found ${JSON.stringify(found)}`, {
    ...{ param: name, code: 'invalid_value' },
  })
}

// Who may ask, and how much: API keys stand for tenants, each with a class of service and limits.
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { KvasirError } from '../errors.ts'
import { PRIORITIES, type Priority } from '../scheduler/service.ts'
import { Limiter } from './limiter.ts'

export interface TenantOptions {
  name: string
  /** Keys as clients send them, or 'sha256:' and the hash of one in hexadecimal. */
  keys: readonly string[]
  /** The class of its requests, and the best that they may ask for. Default 'standard'. */
  class?: Priority | undefined
  requestsPerMinute?: number | undefined
  /** Of prompts and answers together. */
  tokensPerMinute?: number | undefined
  /** Requests at the same time. */
  concurrent?: number | undefined
}

const limit = z.number().int().min(1).optional()
const tenant = z.strictObject({
  name: z.string().min(1),
  keys: z.array(z.string().min(1)).min(1),
  class: z.enum(PRIORITIES as [Priority, ...Priority[]]).optional(),
  requestsPerMinute: limit,
  tokensPerMinute: limit,
  concurrent: limit,
})
const file = z.strictObject({ tenants: z.array(tenant).min(1) })

/** Reads a keys file: { "tenants": [{ "name", "keys", … }] }. Rejects with KV_NOT_FOUND or KV_ARGUMENT. */
export async function readTenants(path: string): Promise<TenantOptions[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new KvasirError('KV_NOT_FOUND', `${path}: ${cause.message}`, { cause })
  })
  try {
    return file.parse(JSON.parse(text)).tenants
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message
    throw new KvasirError('KV_ARGUMENT', `${path}: expected { "tenants": [{ "name", "keys", … }] }; ${why}`, { cause })
  }
}

export interface Tenant {
  name: string
  /** Of requests that ask for none, and the best that they may ask for. */
  class: Priority
  best: Priority
  limiter: Limiter
}

export class Tenants {
  private readonly keys: { hash: Buffer; tenant: Tenant }[] = []
  // Whoever asks where no key is needed.
  private readonly anyone: Tenant = { name: '', class: 'standard', best: 'interactive', limiter: new Limiter({}) }

  constructor(list: readonly TenantOptions[]) {
    for (const { name, keys, class: best = 'standard', ...limits } of list) {
      const one = { name, class: best, best, limiter: new Limiter(limits) }
      for (const key of keys) this.keys.push({ hash: hashOf(key), tenant: one })
    }
  }

  /** Whose key it is; undefined when it is nobody's. */
  find(key: string | undefined): Tenant | undefined {
    if (this.keys.length === 0) return this.anyone
    if (key === undefined) return undefined
    const hash = sha256(key)
    let found: Tenant | undefined
    // All of them, however early one fits: the time tells nothing of a key.
    for (const candidate of this.keys) if (timingSafeEqual(candidate.hash, hash)) found = candidate.tenant
    return found
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

function hashOf(key: string): Buffer {
  if (!key.startsWith('sha256:')) return sha256(key)
  const hash = Buffer.from(key.slice(7), 'hex')
  if (hash.length === 32) return hash
  throw new KvasirError(
    'KV_ARGUMENT',
    `a key begins with sha256: and has ${hash.length} bytes after it, 32 are expected`,
  )
}

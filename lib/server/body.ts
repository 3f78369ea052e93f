// A request's body: JSON of the form that the route expects.
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { ApiError } from './errors.ts'
import type { Ctx, Shared } from './shared.ts'

/** The body as `schema` reads it. Throws 413 when it is too large, 400 with the first field that is wrong. */
export async function body<S extends z.ZodType>(c: Ctx, shared: Shared, schema: S): Promise<z.output<S>> {
  const text = await read(c.env.incoming, shared.options.maxBodyBytes)
  await shared.starts.turn() // what follows takes a good part of a millisecond, and requests come in crowds
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ApiError(400, `the body is not JSON: ${(cause as Error).message}`, { code: 'invalid_json', cause })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = deepest(result.error.issues[0]!)
  const param = issue.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  const name = param.replace(/^\./, '')
  throw new ApiError(400, name ? `${name}: ${issue.message}` : issue.message, { param: name, code: 'invalid_value' })
}

// From Node's own stream: a Request with a web stream of its body costs more than all else that we do with it.
function read(incoming: IncomingMessage, most: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    const tooLarge = () => {
      incoming.off('data', take)
      reject(new ApiError(413, `the body is larger than ${most} bytes`, { code: 'body_too_large' }))
    }
    const take = (part: Buffer) => {
      size += part.length
      if (size > most) tooLarge()
      else parts.push(part)
    }
    if (Number(incoming.headers['content-length']) > most) return tooLarge()
    incoming.on('data', take)
    incoming.on('end', () => resolve(Buffer.concat(parts).toString()))
    incoming.on('error', reject)
  })
}

// Of a union's alternatives, the complaint of the one that came furthest.
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  let best: z.core.$ZodIssue = issue
  for (const [first] of issue.errors) {
    if (!first) continue
    const inner = deepest(first)
    const path = [...issue.path, ...inner.path]
    if (path.length > best.path.length) best = { ...inner, path }
  }
  return best
}

// A request's body: JSON of the form that the route expects.
import type { z } from 'zod'
import { ApiError } from './errors.ts'
import type { Ctx } from './shared.ts'

/** The body as `schema` reads it. Throws 400 with the first field that is wrong. */
export async function body<S extends z.ZodType>(c: Ctx, schema: S): Promise<z.output<S>> {
  const text = await c.req.text()
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

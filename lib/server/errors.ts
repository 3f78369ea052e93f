// Every failure in the shape of OpenAI's API: { error: { message, type, param, code } } and the status that goes with it.
import type { ErrorCode, KvasirError } from '../errors.ts'

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null }
}

export interface ApiErrorOptions {
  param?: string | null
  code?: string | null
  type?: string
  /** Seconds after which the same request may succeed. */
  retryAfter?: number
  cause?: unknown
}

/** A failure that the client is told as it is. */
export class ApiError extends Error {
  readonly param: string | null
  readonly code: string | null
  readonly type: string
  readonly retryAfter: number | undefined

  constructor(
    readonly status: number,
    message: string,
    { param = null, code = null, type, retryAfter, cause }: ApiErrorOptions = {},
  ) {
    super(message, { cause })
    this.name = 'ApiError'
    this.param = param
    this.code = code
    this.type = type ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
    this.retryAfter = retryAfter
  }

  get body(): ErrorBody {
    const { message, type, param, code } = this
    return { error: { message, type, param, code } }
  }

  get headers(): Record<string, string> {
    return this.retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(this.retryAfter))) }
  }
}

const FROM_ENGINE: Partial<Record<ErrorCode, { status: number; code: string; retryAfter?: number }>> = {
  KV_ABORTED: { status: 499, code: 'client_gone' }, // nobody reads it
  KV_ARGUMENT: { status: 400, code: 'invalid_value' },
  KV_TOO_LONG: { status: 400, code: 'context_length_exceeded' },
  KV_TEMPLATE: { status: 400, code: 'template_error' },
  KV_UNSUPPORTED: { status: 400, code: 'unsupported' },
  KV_NOT_FOUND: { status: 404, code: 'not_found' },
  KV_DEADLINE: { status: 503, code: 'deadline_exceeded', retryAfter: 1 },
  KV_DISPOSED: { status: 503, code: 'shutting_down', retryAfter: 5 },
  KV_HOST: { status: 503, code: 'restarting', retryAfter: 1 },
}

/** What the client is told of any failure; of one that nobody foresaw, only that there was one. */
export function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const code = (error as { code?: unknown } | null)?.code
  const known = typeof code === 'string' ? FROM_ENGINE[code as ErrorCode] : undefined
  if (!known) return new ApiError(500, 'internal error; the log of the server has more', { cause: error })
  const { status, ...rest } = known
  const { message } = error as KvasirError
  const param = status === 400 ? (/^([\w.[\]]+): /.exec(message)?.[1] ?? null) : null
  return new ApiError(status, message, { ...rest, param, cause: error })
}

/** 400 for one field. */
export function invalid(param: string, what: string, code = 'invalid_value'): ApiError {
  return new ApiError(400, `${param}: ${what}`, { param, code })
}

/** True for failures that are ours, which belong in the log with their stack. */
export const isInternal = (error: ApiError): boolean => error.status === 500

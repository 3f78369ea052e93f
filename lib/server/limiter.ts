// Limits of one tenant: requests at the same time, and buckets of requests and tokens that a minute fills.
import { ApiError } from './errors.ts'

export interface Limits {
  requestsPerMinute?: number | undefined
  tokensPerMinute?: number | undefined
  concurrent?: number | undefined
}

export class Limiter {
  private readonly requests: Bucket
  private readonly tokens: Bucket
  private readonly concurrent: number
  private running = 0

  constructor({ requestsPerMinute, tokensPerMinute, concurrent = Infinity }: Limits, clock = () => performance.now()) {
    this.requests = new Bucket(requestsPerMinute, clock)
    this.tokens = new Bucket(tokensPerMinute, clock)
    this.concurrent = concurrent
  }

  /** Begins a request. Throws 429 with what is exhausted, and when to try again. */
  begin(): void {
    if (this.running >= this.concurrent)
      throw tooMany('requests', `${this.concurrent} requests of this key are running, which is its limit`, 1)
    const wait = this.requests.missing(1)
    if (wait > 0)
      throw tooMany('requests', `${this.requests.perMinute} requests a minute are the limit of this key`, wait)
    // What a request takes is known when it is over; until then it is enough that something is left.
    const refill = this.tokens.missing(1)
    if (refill > 0)
      throw tooMany('tokens', `${this.tokens.perMinute} tokens a minute are the limit of this key`, refill)
    this.requests.take(1)
    this.running++
  }

  end(): void {
    this.running--
  }

  took(tokens: number): void {
    this.tokens.take(tokens)
  }

  /** What OpenAI's API says of limits with every answer. */
  headers(): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const [name, bucket] of [
      ['requests', this.requests],
      ['tokens', this.tokens],
    ] as const) {
      if (bucket.perMinute === Infinity) continue
      headers[`x-ratelimit-limit-${name}`] = String(bucket.perMinute)
      headers[`x-ratelimit-remaining-${name}`] = String(Math.max(0, Math.floor(bucket.left())))
      headers[`x-ratelimit-reset-${name}`] = `${bucket.missing(bucket.perMinute).toFixed(3)}s`
    }
    return headers
  }
}

class Bucket {
  private level: number
  private at: number

  constructor(
    readonly perMinute = Infinity,
    private readonly clock: () => number,
  ) {
    this.level = perMinute
    this.at = clock()
  }

  left(): number {
    const now = this.clock()
    if (this.perMinute < Infinity)
      this.level = Math.min(this.perMinute, this.level + ((now - this.at) / 60_000) * this.perMinute)
    this.at = now
    return this.level
  }

  /** Seconds until there are so many. */
  missing(count: number): number {
    return this.perMinute === Infinity ? 0 : Math.max(0, ((count - this.left()) / this.perMinute) * 60)
  }

  take(count: number): void {
    this.level = this.left() - count
  }
}

function tooMany(type: string, message: string, retryAfter: number): ApiError {
  return new ApiError(429, `${message}; try again in ${Math.max(1, Math.ceil(retryAfter))} s`, {
    ...{ type, code: 'rate_limit_exceeded', retryAfter },
  })
}

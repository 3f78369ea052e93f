// The server's API as the page uses it, and every failure as a sentence.
import { apiKey, type Message, type Settings } from './store.ts'

export class Failure extends Error {
  constructor(
    message: string,
    readonly status = 0,
  ) {
    super(message)
  }
}

export interface ModelCard {
  id: string
  max_model_len?: number
}

export interface Delta {
  content?: string
  reasoning?: string
  finish?: string
  tokens?: number
}

/** Server-sent events of a path. Rejects with Failure. */
export async function* events(path: string, init: RequestInit): AsyncGenerator<{ event: string; data: string }> {
  const response = await request(path, init)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  let event = ''
  let data: string[] = []
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(unreachable(init.signal))
      if (done) return
      const lines = (rest + value).split('\n')
      rest = lines.pop()!
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
        if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
        else if (line.startsWith('event:')) event = line.slice(6).trim()
        else if (line === '' && data.length > 0) {
          yield { event, data: data.join('\n') }
          event = ''
          data = []
        }
      }
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

export async function models(): Promise<ModelCard[]> {
  const response = await request('/v1/models', {})
  return ((await response.json()) as { data: ModelCard[] }).data
}

/** An answer as it grows. */
export async function* chat(
  model: string,
  messages: readonly Message[],
  { system, temperature, topP, seed, maxTokens }: Settings,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  const body = {
    model: model || undefined,
    messages: [
      ...(system.trim() ? [{ role: 'system', content: system }] : []),
      ...messages.map(({ role, content }) => ({ role, content })),
    ],
    temperature,
    top_p: topP,
    ...(seed !== null && { seed }),
    ...(maxTokens !== null && { max_tokens: maxTokens }),
    stream: true,
    stream_options: { include_usage: true },
  }
  const headers = { 'content-type': 'application/json', 'x-kvasir-priority': 'interactive' } // somebody is watching
  const init = { method: 'POST', headers, body: JSON.stringify(body), signal }
  let done = false
  for await (const { data } of events('/v1/chat/completions', init)) {
    done ||= data === '[DONE]'
    if (done) continue // to the end, so that the connection can be used again
    const chunk = JSON.parse(data)
    if (chunk.error) throw new Failure(sentence(chunk.error.message))
    const [choice] = chunk.choices ?? []
    yield {
      content: choice?.delta?.content || undefined,
      reasoning: choice?.delta?.reasoning_content || choice?.delta?.reasoning || undefined,
      finish: choice?.finish_reason ?? undefined,
      tokens: chunk.usage?.completion_tokens,
    }
  }
  if (!done) throw new Failure('The connection ended before the answer did.')
}

async function request(path: string, init: RequestInit): Promise<Response> {
  const headers = { ...(init.headers as object), ...(apiKey.value && { authorization: `Bearer ${apiKey.value}` }) }
  const response = await fetch(path, { ...init, headers }).catch(unreachable(init.signal))
  if (response.ok) return response
  throw await failure(response)
}

async function failure(response: Response): Promise<Failure> {
  const { status } = response
  const told = await response.json().catch(() => undefined)
  const message = sentence(told?.error?.message ?? `the server answered ${status} ${response.statusText}`)
  const wait = Number(response.headers.get('retry-after'))
  if (status === 401 || status === 403)
    return new Failure(
      apiKey.value
        ? 'The server does not accept this API key. Put in another one under Settings.'
        : 'The server asks for an API key. Put it in under Settings.',
      status,
    )
  return new Failure(wait > 0 ? `${message} Try again in ${wait} s.` : message, status)
}

const unreachable = (signal: AbortSignal | null | undefined) => (error: unknown) => {
  if (signal?.aborted) throw error
  throw new Failure('The server cannot be reached. Is it still running?')
}

const sentence = (text: string): string => {
  const whole = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}

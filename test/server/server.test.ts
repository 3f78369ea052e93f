// The server around the routes: names, keys, limits, the ends of clients and of the server itself.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { MODEL, post, serving } from './client.ts'

const basic = { model: MODEL, messages: [{ role: 'user' as const, content: 'Hi' }] }
const words = () => 'word '.repeat(2000)
const clientOf = (url: string, apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await sleep(10)
  expect(what()).toBe(true)
}

/** What a raw connection answers until it ends. */
function raw(url: string, text: string): Promise<string> {
  const { port } = new URL(url)
  return new Promise((resolve, reject) => {
    let all = ''
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
    socket.on('data', (data) => {
      all += data
    })
    socket.on('close', () => resolve(all))
    socket.on('error', reject)
  })
}

it('knows its model alone', async () => {
  const { client } = await serving([], { names: ['a', 'b/c'] })
  const { data } = await client.models.list()
  expect(data).toMatchObject([{ id: 'a', object: 'model', owned_by: 'kvasir', max_model_len: 4096 }])
  expect(await client.models.retrieve('b/c')).toMatchObject({ id: 'b/c' })
  await expect(client.models.retrieve('d')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
  const wrong = client.chat.completions.create({ ...basic, model: 'gpt-4' })
  await expect(wrong).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
})

it('answers what it does not know in the same shape', async () => {
  const { url } = await serving([])
  expect(await post(`${url}/v1/nothing`, {})).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
})

describe('keys', () => {
  it('let in whom they belong to', async () => {
    const sha256 = 'sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b' // of "secret"
    const { url } = await serving(() => 'ok', { tenants: [{ name: 'a', keys: ['one', sha256] }] })
    for (const key of ['one', 'secret'])
      expect((await clientOf(url, key).chat.completions.create(basic)).choices[0]!.message.content).toBe('ok')
    for (const key of ['two', sha256, 'One'])
      await expect(clientOf(url, key).models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    const none = await post(`${url}/v1/chat/completions`, basic)
    expect(none).toMatchObject({ status: 401, body: { error: { code: 'invalid_api_key' } } })
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })

  it('are no use for a class above their own', async () => {
    const { llm, url } = await serving(() => 'ok', { tenants: [{ name: 'a', keys: ['k'], class: 'batch' }] })
    const seen: unknown[] = []
    const chat = llm.chat.bind(llm)
    llm.chat = (messages, options) => {
      seen.push([options?.tenant, options?.priority])
      return chat(messages, options)
    }
    for (const headers of [{}, { 'x-kvasir-priority': 'interactive' }] as Record<string, string>[])
      await clientOf(url, 'k').chat.completions.create(basic, { headers })
    expect(seen).toEqual([
      ['a', 'batch'],
      ['a', 'batch'],
    ])
    const wrong = clientOf(url, 'k').chat.completions.create(basic, { headers: { 'x-kvasir-priority': 'now' } })
    await expect(wrong).rejects.toMatchObject({ status: 400, param: 'x-kvasir-priority' })
  })

  it('have limits', async () => {
    const { url } = await serving(() => 'a b c', {
      tenants: [
        { name: 'few', keys: ['few'], requestsPerMinute: 2 },
        { name: 'short', keys: ['short'], tokensPerMinute: 5 },
        { name: 'one', keys: ['one'], concurrent: 1 },
      ],
      model: { delayMs: 5 },
    })
    const ask = (key: string) => clientOf(url, key).chat.completions.create(basic).withResponse()
    const { response } = await ask('few')
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('2')
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('1')
    await ask('few')
    const refused = await ask('few').catch((error) => error)
    expect(refused).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'requests' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10)
    await ask('short')
    await expect(ask('short')).rejects.toMatchObject({ status: 429, type: 'tokens' })
    const outcomes = await Promise.allSettled([ask('one'), ask('one')])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await ask('one') // the first one is over
  })
})

it('refuses what is too large, too much or too late', async () => {
  const model = { delayMs: 5, maxSequences: 1 }
  const { url, client, llm } = await serving(words, { maxBodyBytes: 1000, maxQueued: 1, model })
  const large = { ...basic, messages: [{ role: 'user', content: 'x'.repeat(1000) }] }
  expect(await post(`${url}/v1/chat/completions`, large)).toMatchObject({
    status: 413,
    body: { error: { code: 'body_too_large' } },
  })

  const controllers = [new AbortController(), new AbortController()]
  const running = controllers.map(({ signal }) =>
    client.chat.completions.create(basic, { signal }).catch(() => 'ended'),
  )
  await until(() => llm.stats().requests === 2)
  const third = await client.chat.completions.create(basic).catch((error) => error)
  expect(third).toMatchObject({ status: 503, code: 'overloaded' })
  expect(third.headers.get('retry-after')).toBe('1')
  controllers[1]!.abort()
  await until(() => llm.stats().requests === 1)
  const late = client.chat.completions.create(basic, { headers: { 'x-kvasir-deadline-ms': '20' } })
  await expect(late).rejects.toMatchObject({ status: 503, code: 'deadline_exceeded' })
  controllers[0]!.abort()
  expect(await Promise.all(running)).toEqual(['ended', 'ended'])
})

it('stops computing when the client is gone', async () => {
  const { client, llm } = await serving(words, { model: { delayMs: 1 } })
  for (const stream of [true, false]) {
    const controller = new AbortController()
    const { signal } = controller
    const asked = client.chat.completions.create({ ...basic, stream }, { signal }).catch(() => undefined)
    await until(() => llm.stats().running === 1)
    controller.abort()
    await asked
    await until(() => llm.stats().requests === 0)
  }
  const early = await client.chat.completions.create({ ...basic, stream: true })
  for await (const _ of early) break
  await until(() => llm.stats().requests === 0)
})

it('a client that does not read holds up nobody, and is left', async () => {
  const text = 'x'.repeat(10_000)
  const { url, llm, client } = await serving(() => Array.from({ length: 3000 }, () => text), { stallTimeoutMs: 200 })
  const { port } = new URL(url)
  const body = JSON.stringify({ ...basic, stream: true })
  const socket = connect(Number(port), '127.0.0.1')
  socket.pause()
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  await until(() => llm.stats().requests === 1)
  expect((await client.chat.completions.create({ ...basic, max_tokens: 1 })).usage!.completion_tokens).toBe(1)
  await until(() => llm.stats().requests === 0)
  await sleep(400)
  socket.resume()
  await closed
})

it('tells what is no HTTP, and what comes too slowly', async () => {
  const { url } = await serving([], { requestTimeoutMs: 300 })
  expect(await raw(url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"error":\{"message":"this is no HTTP/s)
  expect(await raw(url, 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{')).toMatch(
    /^HTTP\/1.1 408 /,
  )
  expect(await raw(url, 'GET / HTTP/1.1\r\nhost: x\r\n')).toMatch(/^HTTP\/1.1 408 /)
  expect(await raw(url, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /)
})

it('a client that goes away while it is asking is no failure of ours', async () => {
  const lines: Record<string, unknown>[] = []
  const keep = (fields: object) => void lines.push(fields as Record<string, unknown>)
  const { url } = await serving([], { logger: { info: keep, warn: keep, error: keep } })
  for (const length of ['content-length: 10', 'transfer-encoding: chunked']) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n1\r\n`)
    await sleep(50)
    socket.resetAndDestroy()
  }
  await until(() => lines.length === 2)
  expect(lines).toMatchObject([
    { status: 499, gone: true },
    { status: 499, gone: true },
  ])
})

describe('close', () => {
  it('answers what has begun, and takes nothing new', async () => {
    const { client, llm, server, url } = await serving(() => 'word '.repeat(50), { model: { delayMs: 5 } })
    const idle = connect(Number(new URL(url).port), '127.0.0.1') // never says anything
    idle.on('error', () => {})
    await fetch(`${url}/ready`).then((answer) => answer.text()) // leaves an idle connection
    const answer = client.chat.completions.create(basic)
    const stream = client.chat.completions.stream(basic)
    await until(() => llm.stats().running === 2)
    let closed = false
    const closing = server.close().then(() => {
      closed = true
    })
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    expect(closed).toBe(false)
    expect((await answer).choices[0]!.message.content).toBe('word '.repeat(50))
    expect((await stream.finalChatCompletion()).choices[0]!.message.content).toBe('word '.repeat(50))
    await closing
    expect(llm.stats().requests).toBe(0)
  })

  it('refuses new requests of connections that are open', async () => {
    const { llm, server, url } = await serving(() => 'word '.repeat(50), { model: { delayMs: 5 } })
    const body = JSON.stringify(basic)
    const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const both = raw(url, request)
    await until(() => llm.stats().running === 1)
    const closing = server.close()
    await closing
    expect(await both).toMatch(/^HTTP\/1.1 200 /)
  })

  it('cuts off what is unfinished when its signal fires', async () => {
    const { client, llm, server } = await serving(words, { model: { delayMs: 5 } })
    const answer = client.chat.completions.create(basic).catch(() => 'cut')
    await until(() => llm.stats().running === 1)
    const controller = new AbortController()
    const closing = server.close(controller.signal)
    controller.abort()
    await closing
    expect(await answer).toBe('cut')
    await until(() => llm.stats().requests === 0)
  })
})

it('lets pages of the origins that it is told read the answers', async () => {
  const { url } = await serving(() => 'ok', { cors: ['http://a.example'] })
  const ask = (origin: string, stream: boolean) =>
    post(`${url}/v1/chat/completions`, { ...basic, stream }, { origin }).catch(() => undefined)
  for (const stream of [false]) {
    expect((await ask('http://a.example', stream))!.headers.get('access-control-allow-origin')).toBe('http://a.example')
    expect((await ask('http://b.example', stream))!.headers.get('access-control-allow-origin')).toBeNull()
  }
  const headers = { origin: 'http://a.example', 'access-control-request-method': 'POST' }
  const preflight = await fetch(`${url}/v1/chat/completions`, { method: 'OPTIONS', headers })
  expect(preflight.status).toBe(204)
  const events = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { origin: 'http://a.example' },
    body: JSON.stringify({ ...basic, stream: true }),
  })
  expect(events.headers.get('access-control-allow-origin')).toBe('http://a.example')
  expect(await events.text()).toContain('data: [DONE]')
})

it('logs a line for each request, without what was said', async () => {
  const lines: Record<string, unknown>[] = []
  const keep = (fields: object) => void lines.push(fields as Record<string, unknown>)
  const { client, url } = await serving(() => 'a secret answer', { logger: { info: keep, warn: keep, error: keep } })
  await client.chat.completions.create({ ...basic, messages: [{ role: 'user', content: 'a secret question' }] })
  await post(`${url}/v1/chat/completions`, '{')
  await until(() => lines.length === 2)
  expect(lines[0]).toMatchObject({
    method: 'POST',
    path: '/v1/chat/completions',
    status: 200,
    completionTokens: 4,
    finishReason: 'stop',
  })
  expect(lines[1]).toMatchObject({ status: 400, code: 'invalid_json' })
  expect(JSON.stringify(lines)).not.toContain('secret')
})

it('counts for Prometheus, under its own names and those of vLLM', async () => {
  const { client, url } = await serving(() => 'one two three')
  for (let i = 0; i < 3; i++) await client.chat.completions.create(basic)
  const text = await (await fetch(`${url}/metrics`)).text()
  const value = (name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (.*)$`, 'm').exec(text)?.[1])
  for (const name of ['kvasir_generation_tokens_total', 'vllm:generation_tokens_total'])
    expect(value(name), name).toBe(12)
  for (const name of ['kvasir_time_to_first_token_seconds_count', 'vllm:time_to_first_token_seconds_count'])
    expect(value(name), name).toBe(3)
  expect(value('vllm:num_requests_running')).toBe(0)
  expect(value('vllm:kv_cache_usage_perc')).toBe(0)
  expect(value('vllm:prefix_cache_hits_total')).toBeGreaterThan(0)
  expect(text).toContain('vllm:request_success_total{finished_reason="stop",model_name="scripted"} 3')
  expect(text).toMatch(
    /kvasir_http_requests_total\{route="\/v1\/chat\/completions",status="200",model_name="scripted"\} 3/,
  )
})

it.each<[string, object]>([
  ['port', { port: -1 }],
  ['host', { host: '' }],
  ['names', { names: [] }],
  ['maxBodyBytes', { maxBodyBytes: 0 }],
  ['a key', { tenants: [{ name: 'a', keys: ['sha256:12'] }] }],
  ['an option', { prot: 1 }],
])('refuses a wrong %s', async (_, options) => {
  await expect(serving([], options)).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
})

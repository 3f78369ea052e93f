// A server over a scripted model, and the official client that talks with it over a real socket.
import OpenAI from 'openai'
import { afterEach } from 'vitest'
import type { Llm } from '../../lib/index.ts'
import { type Server, type ServerOptions, serve } from '../../lib/server/index.ts'
import { type ScriptedOptions, scripted } from '../../lib/testing/index.ts'

export const MODEL = 'scripted'

const open: { server: Server; llm: Llm }[] = []

/** Serves until the test is over. */
export async function serving(
  answers: Parameters<typeof scripted>[0],
  { model = {}, ...options }: ServerOptions & { model?: ScriptedOptions } = {},
) {
  const llm = scripted(answers, model)
  const server = await serve(llm, { port: 0, ...options })
  open.push({ server, llm })
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
  return { llm, server, client, url: server.url }
}

afterEach(async () => {
  for (const { server, llm } of open.splice(0)) {
    await server.close()
    await llm.dispose()
  }
})

/** POST of JSON, without a client in between. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json', ...headers },
  })
  const answer = await response.text()
  return { status: response.status, headers: response.headers, body: answer ? JSON.parse(answer) : undefined }
}

// Clients of a server, good and bad. Each resolves when it is done, and throws when the server did what it must not.
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import { damageJson } from '../../support/damage.ts'
import type { Random } from '../../support/random.ts'

export interface Question {
  content: string
  seed: number
  max_tokens: number
}

export interface World {
  port: number
  rng: Random
  /** What each question is answered when nothing else goes on. */
  answers: ReadonlyMap<Question, string>
  questions: readonly Question[]
  /** Milliseconds until all must be over. */
  left(): number
}

export type Client = (world: World) => Promise<string>

const clientOf = (port: number) => new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 })

const requestOf = ({ content, seed, max_tokens }: Question, stream: boolean) => ({
  ...{ model: 'model', messages: [{ role: 'user' as const, content }], temperature: 1, seed, max_tokens, stream },
})

/** An answer is right, or there is none for a reason that was told. */
export const good: Client = async ({ port, rng, questions, answers }) => {
  const question = questions[rng.below(questions.length)]!
  const stream = rng.below(2) === 0
  let text = ''
  let end: string | null = null
  try {
    const answer = await clientOf(port).chat.completions.create(requestOf(question, stream))
    if (Symbol.asyncIterator in answer)
      for await (const { choices } of answer) {
        text += choices[0]?.delta.content ?? ''
        end = choices[0]?.finish_reason ?? end
      }
    else
      ({
        message: { content: (text as string | null) },
        finish_reason: end,
      } = answer.choices[0]!)
  } catch (error) {
    const { status, code } = error as { status?: number; code?: string }
    if (status === 503 && (code === 'overloaded' || code === 'shutting_down')) return `told ${code}`
    throw new Error(`a good client got ${status} ${code}: ${error}`, { cause: error })
  }
  if (end !== 'stop' && end !== 'length') throw new Error(`an answer has no end: ${JSON.stringify({ text, end })}`)
  if (text !== answers.get(question))
    throw new Error(`seed ${question.seed}: ${text} instead of ${answers.get(question)}`)
  return 'answered'
}

/** Goes away in the middle. */
export const vanishing: Client = async ({ port, rng, questions }) => {
  const socket = await open(port)
  socket.write(raw(requestOf(questions[rng.below(questions.length)]!, rng.below(2) === 0)))
  await sleep(rng.below(500))
  if (rng.below(2) === 0) socket.resetAndDestroy()
  else socket.destroy()
  return 'vanished'
}

/** Asks for a lot and reads nothing. */
export const stalling: Client = async ({ port, rng, questions, left }) => {
  const socket = await open(port)
  socket.pause()
  const question = { ...questions[rng.below(questions.length)]!, max_tokens: 200 }
  socket.write(raw({ ...requestOf(question, true), logprobs: true, top_logprobs: 20, ignore_eos: true }))
  await sleep(Math.min(left(), rng.below(10_000)))
  socket.destroy()
  return 'stalled'
}

/** Says what is no HTTP; the connection ends. */
export const garbage: Client = async ({ port, rng }) => {
  await sleep(rng.below(50))
  const socket = await open(port)
  socket.write(rng.bytes(1 + rng.below(2000)))
  socket.end()
  const answer = await read(socket)
  if (answer !== '' && !/^HTTP\/1.1 (4\d\d|200) /.test(answer)) throw new Error(`garbage was answered ${answer}`)
  return 'garbage'
}

/** A request that is wrong somewhere is answered or refused, and is never our mistake. */
export const wrong: Client = async ({ port, rng, questions }) => {
  const paths = [
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/responses',
    '/v1/embeddings',
    '/tokenize',
    '/detokenize',
  ]
  const question = questions[rng.below(questions.length)]!
  const sound = {
    ...requestOf(question, rng.below(2) === 0),
    ...SOUND,
    prompt: question.content,
    input: question.content,
  }
  const body = JSON.stringify(damageJson(sound, rng))
  const socket = await open(port)
  socket.write(raw(body, paths[rng.below(paths.length)]!))
  const answer = await read(socket)
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])
  if (!(status === 200 || status === 503 || (status >= 400 && status < 500)))
    throw new Error(`${body} was answered ${answer.slice(0, 500)}`)
  if (answer.includes('internal error')) throw new Error(`${body} was answered ${answer.slice(-500)}`)
  return `wrong ${status}`
}

const SOUND = {
  n: 1,
  stop: ['x'],
  max_tokens: 4,
  logit_bias: { 5: 1 },
  logprobs: true,
  top_logprobs: 2,
  tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
  tool_choice: 'auto',
  stream_options: { include_usage: true },
  tokens: [1, 2, 3],
}

/** More than the server takes: it says so, or hangs up. */
export const oversized: Client = async ({ port, rng }) => {
  const socket = await open(port)
  const chunked = rng.below(2) === 0
  const size = 200_000 + rng.below(2_000_000)
  const length = chunked ? 'transfer-encoding: chunked' : `content-length: ${size}`
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n`)
  const answer = read(socket)
  for (let sent = 0; sent < size && socket.writable; sent += 10_000) {
    const piece = 'x'.repeat(10_000)
    socket.write(chunked ? `2710\r\n${piece}\r\n` : piece)
    await sleep(0)
  }
  const text = await answer
  if (text !== '' && !text.startsWith('HTTP/1.1 413 '))
    throw new Error(`a large body was answered ${text.slice(0, 300)}`)
  return text === '' ? 'oversized, cut' : 'oversized 413'
}

/** Sends its body a byte at a time, and may never end. */
export const slow: Client = async ({ port, rng, questions, left }) => {
  const socket = await open(port)
  const text = raw({ ...requestOf(questions[rng.below(questions.length)]!, false), max_tokens: 2 })
  const answer = read(socket)
  const patience = Math.min(left(), 2000 + rng.below(40_000))
  const [begin, step] = [performance.now(), 20 + rng.below(200)]
  for (const byte of text) {
    if (!socket.writable || performance.now() - begin > patience) break
    socket.write(byte)
    await sleep(step)
  }
  if (performance.now() - begin > patience) socket.destroy()
  const status = /^HTTP\/1.1 (\d+)/.exec(await answer)?.[1] ?? 'cut'
  if (!['200', '408', '503', 'cut'].includes(status)) throw new Error(`a slow body was answered ${status}`)
  return `slow ${status}`
}

/** Holds a connection and says nothing more, and opens another when it is closed, until nobody listens. Returns how many. */
export async function idling({ port, rng }: World, asks: boolean): Promise<number> {
  for (let opened = 0; ; opened++) {
    await sleep(rng.below(2000))
    const socket = await open(port).catch(() => undefined)
    if (!socket) return opened
    if (asks) socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
    socket.resume()
    await new Promise((resolve) => socket.on('close', resolve))
  }
}

export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
    socket.on('error', () => {}) // resets are what these clients are made for
  })
}

function raw(body: object | string, path = '/v1/chat/completions'): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json`
  return `${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}

function read(socket: Socket): Promise<string> {
  let all = ''
  socket.on('data', (data) => {
    if (all.length < 1e6) all += data
  })
  return new Promise((resolve) => socket.on('close', () => resolve(all)))
}

// The model in a process of its own, the built package with the real model; the host is killed and comes back.
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RemoteLlm } from '../../lib/electron/index.ts'
import { testModel } from '../support/model.ts'

const { load } = require('kvasir/electron') as typeof import('../../lib/electron/index.ts')
const question = 'What is the capital of Norway?'
const greedy = { temperature: 0, maxTokens: 20 }
let model: string
let llm: RemoteLlm
const exits: string[] = []

beforeAll(async () => {
  model = await testModel()
  llm = await load(model, { threads: 1, maxSequences: 8, onHostExit: ({ code }) => exits.push(code) })
})
afterAll(() => llm?.dispose())

const codeOf = (promise: PromiseLike<unknown>) =>
  promise.then(
    () => 'none',
    (error) => error.code,
  )

describe('a model in a host process', () => {
  it('answers, streams, embeds, scores', async () => {
    expect(llm.pid).not.toBe(process.pid)
    expect(llm.info).toMatchObject({ layers: 30, threads: 1 })
    let streamed = ''
    const prompts: string[] = []
    const generation = llm.chat(question, { ...greedy, onPrompt: (text) => prompts.push(text) })
    for await (const { text } of generation) streamed += text
    expect((await generation).text).toBe(streamed)
    expect(streamed).toMatch(/Oslo/)
    expect(prompts[0]).toMatch(/user\nWhat is the capital of Norway\?.*assistant\n$/s)
    const [vector] = await llm.embed('a text')
    expect(vector).toBeInstanceOf(Float32Array)
    expect(vector!.length).toBe(llm.info.hiddenSize)
    const ids = await llm.tokenize('a text')
    expect(await llm.detokenize(ids)).toBe('a text')
    expect((await llm.score(ids)).length).toBe(ids.length - 1)
    expect((await llm.memory()).rss).toBeGreaterThan(50e6)
    const half = await llm.resize({ kvBytes: llm.info.kvBytes / 2 })
    expect(half).toBeLessThanOrEqual(llm.info.kvBytes / 2)
    expect(half).toBeGreaterThan(llm.info.kvBytes / 3)
    await llm.resize({ kvBytes: llm.info.kvBytes })
  })

  it('gives the errors of the library, and says what cannot be sent', async () => {
    expect(await codeOf(llm.chat('Hi', { temperature: 9 }))).toBe('KV_ARGUMENT')
    expect(await codeOf(llm.chat([{ role: 'user', content: (() => {}) as never }]))).toBe('KV_ARGUMENT')
    expect(await codeOf(load('no-such-model'))).toBe('KV_NOT_FOUND')
  })

  it('cancels by signal, by abort() and by leaving a loop', async () => {
    const long = { maxTokens: 500, ignoreEos: true }
    expect(await codeOf(llm.chat(question, { ...long, signal: AbortSignal.timeout(300) }))).toBe('KV_ABORTED')
    expect(await codeOf(llm.embed('text', { signal: AbortSignal.abort() }))).toBe('KV_ABORTED')
    const aborted = llm.chat(question, long)
    for await (const _ of aborted) break
    expect((await aborted).finishReason).toBe('abort')
  })

  it('rejects what is in flight when its process is killed, and answers the next call', async () => {
    const before = llm.pid!
    const inFlight = [1, 2].map(() => llm.chat(question, { maxTokens: 2000, ignoreEos: true }))
    const codes = Promise.all(inFlight.map(codeOf))
    await inFlight[0]![Symbol.asyncIterator]().next()
    process.kill(before, 'SIGKILL')
    expect(await codes).toEqual(['KV_HOST', 'KV_HOST'])
    const answers = await Promise.all([llm.chat(question, greedy), llm.chat(question, greedy)])
    for (const { text } of answers) expect(text).toMatch(/Oslo/)
    expect(llm.pid).not.toBe(before)
    expect(exits).toEqual(['KV_HOST'])
  })

  it('ends its process with dispose()', async () => {
    const other = await load(model, { threads: 1 })
    const { pid } = other
    const inFlight = codeOf(other.chat(question, { maxTokens: 500, ignoreEos: true }))
    await new Promise((resolve) => setTimeout(resolve, 200))
    await other.dispose()
    expect(await inFlight).toBe('KV_DISPOSED')
    expect(() => process.kill(pid!, 0)).toThrow(/ESRCH/)
    expect(await codeOf(other.chat(question))).toBe('KV_DISPOSED')
  })

  it('keeps no process that has nothing else to do, and dies with it', () => {
    const script = `require('kvasir/electron').load(${JSON.stringify(model)}, { threads: 1 })
      .then(async (llm) => { await llm.chat('Hi', { maxTokens: 2 }); console.log(llm.pid) })`
    const pid = Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 60_000 }))
    expect(pid).toBeGreaterThan(0)
    const gone = () => {
      try {
        return process.kill(pid, 0) && false
      } catch {
        return true
      }
    }
    return expect.poll(gone, { timeout: 5000 }).toBe(true)
  })
})

// npm run bench:serve [-- --streams N --tokens N --threads N --alone N --model M]: many streams at once over HTTP, asked by the official client
// in a process of its own, beside the same requests made of the library.
//
//   - every stream's text is that of the request alone with the same seed (design law 3), and every page comes back; with
//     --alone N only so many are asked alone, and the others are compared with one another;
//   - throughput over HTTP against the engine's own, in the same rounds;
//   - how late the server's event loop was, and how long the device waited for a step;
//   - what a token costs on the server's JavaScript thread, and in the client, which shares the cores.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Llm, load } from 'kvasir'
import { serve } from 'kvasir/server'
import { check, digits, interleave, main, printResult, printTable, ROOT, show, spread } from './harness.ts'
import type { ClientCall, ClientReply } from './serve/client.ts'

const PROMPTS = ['Tell me of the sea.', 'What is a fjord?', 'Count from one to fifty.', 'Why do people sail?']

main(async () => {
  const { values } = parseArgs({
    options: {
      streams: { type: 'string', default: '256' },
      tokens: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string' },
      alone: { type: 'string' },
      model: { type: 'string', default: 'smollm2:135m' },
    },
  })
  const [streams, tokens] = [Number(values.streams), Number(values.tokens)]
  const llm = await load(values.model, {
    ...{ maxSequences: streams, context: 1024 },
    ...(values.threads && { threads: Number(values.threads) }),
  })
  const server = await serve(llm, { port: 0, names: ['model'] })
  const calls = Array.from({ length: streams }, (_, i) => ({
    content: `${PROMPTS[i % PROMPTS.length]} (${i})`,
    seed: i,
    tokens,
  }))

  const client = fork(join(ROOT, 'build/bench/serve/client.js'), [server.url], { serialization: 'advanced' })
  const ask = async (): Promise<ClientReply> => {
    client.send(calls satisfies ClientCall[])
    const [reply] = await once(client, 'message')
    return reply
  }

  const alone = await expected(llm, calls.slice(0, Number(values.alone ?? streams)))
  const check256 = (texts: readonly string[]) => {
    alone.push(...texts.slice(alone.length))
    for (const [i, text] of texts.entries()) check(text === alone[i], `stream ${i}: ${text} instead of ${alone[i]}`)
  }
  const late = monitorEventLoopDelay({ resolution: 1 })
  const rate = (ms: number) => ({ tokens_per_second: (streams * tokens) / (ms / 1000) })
  const perToken = (ms: number) => (1000 * ms) / (streams * tokens)
  const samples = await interleave(
    [
      {
        name: 'library',
        async run() {
          const begin = performance.now()
          const [js, all] = [threadMs(), processMs()]
          const reading = Promise.all(calls.map((call) => streamed(llm, call)))
          const idle = idleShare(llm, streams, reading)
          const texts = await reading
          const ms = performance.now() - begin
          const [jsMs, allMs] = [threadMs() - js, processMs() - all]
          check256(texts)
          const engine_us = perToken(allMs - jsMs)
          return { ...rate(ms), idle_share: await idle, js_us: perToken(jsMs), engine_us }
        },
      },
      {
        name: 'http',
        async run(round) {
          if (round > 0) late.enable()
          const begin = performance.now()
          const [js, all] = [threadMs(), processMs()]
          const reply = ask()
          const idle = idleShare(llm, streams, reply)
          const { answers, cpuMs } = await reply
          const ms = performance.now() - begin
          const [jsMs, allMs] = [threadMs() - js, processMs() - all]
          late.disable()
          check256(answers.map(({ text }) => text))
          const ttft = spread(answers.map(({ firstMs }) => firstMs))
          return {
            ...rate(ms),
            ttft_p50_ms: ttft.median,
            idle_share: await idle,
            js_us: perToken(jsMs),
            engine_us: perToken(allMs - jsMs),
            client_us: perToken(cpuMs),
            chunks: answers.reduce((sum, { chunks }) => sum + chunks, 0),
          }
        },
      },
    ],
    Number(values.rounds),
  )
  const { requests, running, waiting, pages, freePages } = llm.stats()
  check(requests + running + waiting === 0 && pages === freePages, `${pages - freePages} pages did not come back`)
  client.disconnect()
  await server.close()
  const { isa, threads } = llm.info
  await llm.dispose()

  const of = (name: string, figure: string) => spread(samples.get(name)!.get(figure)!)
  const [library, http] = ['library', 'http'].map((name) => of(name, 'tokens_per_second')) as [
    ReturnType<typeof spread>,
    ReturnType<typeof spread>,
  ]
  const [p50, p99] = [late.percentile(50) / 1e6, late.percentile(99) / 1e6]
  printTable(
    [`${streams} streams of ${tokens} tokens`, 'tokens/s'],
    [
      ['library', show(library)],
      ['HTTP, official client', show(http)],
    ],
  )
  printTable(
    ['', ''],
    [
      ['HTTP against the library', `${digits((100 * http.median) / library.median)} %`],
      ['… at most, by the processor time of all three', `${digits(100 * possibleShare(of))} %`],
      ['first token over HTTP, median ms', show(of('http', 'ttft_p50_ms'))],
      ['device idle', `${digits(100 * of('http', 'idle_share').median)} %`],
      ['JavaScript thread, µs of processor a token', show(of('http', 'js_us'))],
      ['… with the library alone', show(of('library', 'js_us'))],
      ['other threads of the server, µs of processor a token', show(of('http', 'engine_us'))],
      ['… with the library alone', show(of('library', 'engine_us'))],
      ['client, µs of processor a token', show(of('http', 'client_us'))],
      ['cores that all of it had', digits(busyCores(of))],
      ['event loop late, p50 and p99 ms', `${digits(p50)} ${digits(p99)}`],
    ],
  )
  printResult(
    'serve',
    {
      streams,
      tokens,
      threads,
      library_tokens_per_second: library.median,
      http_tokens_per_second: http.median,
      http_share: http.median / library.median,
      device_idle_share: of('http', 'idle_share').median,
      js_us_per_token: of('http', 'js_us').median,
      library_js_us_per_token: of('library', 'js_us').median,
      engine_us_per_token: of('http', 'engine_us').median,
      library_engine_us_per_token: of('library', 'engine_us').median,
      // On cores that are never idle: what the library does there, with the client's work and the server's beside it.
      http_share_possible: possibleShare(of),
      client_us_per_token: of('http', 'client_us').median,
      loop_late_p99_ms: p99,
    },
    isa,
  )
})

/** The share of the time with all streams running in which the device computed nothing. */
async function idleShare(llm: Llm, streams: number, round: Promise<unknown>): Promise<number> {
  let over = false
  const end = () => {
    over = true
  }
  round.then(end, end)
  const at = async (full: boolean) => {
    while (!over && (llm.stats().running === streams) !== full) await sleep(20)
    // A step's time is counted when it ends, so we look just then: where all streams end together, none comes after.
    const { steps } = llm.stats()
    while (!over && llm.stats().steps === steps) await sleep(1)
    return { time: performance.now(), busy: llm.stats().busyMs }
  }
  const first = await at(true)
  const last = await at(false)
  return 1 - (last.busy - first.busy) / (last.time - first.time)
}

type Of = (name: string, figure: string) => { median: number }

const perHttpToken = (of: Of): number =>
  ['engine_us', 'js_us', 'client_us'].reduce((sum, figure) => sum + of('http', figure).median, 0)

const busyCores = (of: Of): number => (perHttpToken(of) * of('http', 'tokens_per_second').median) / 1e6

/** Of the library's throughput, were all cores busy with nothing else: its time for a token over that of all three. */
const possibleShare = (of: Of): number =>
  (of('library', 'engine_us').median + of('library', 'js_us').median) / perHttpToken(of)

/** Milliseconds that this thread has had a processor. */
function threadMs(): number {
  if (process.platform !== 'linux') return performance.eventLoopUtilization().active
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6
}

/** Milliseconds that all threads of this process have had a processor. */
function processMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const optionsOf = ({ seed, tokens }: ClientCall) => ({
  seed,
  maxTokens: tokens,
  temperature: 1,
  topP: 1,
  ignoreEos: true,
})

const chat = (llm: Llm, call: ClientCall) => llm.chat(call.content, optionsOf(call))

/** Read piece by piece, as the client reads its streams. */
async function streamed(llm: Llm, call: ClientCall): Promise<string> {
  let text = ''
  for await (const piece of chat(llm, call)) text += piece.text
  return text
}

/** What each request is answered when nothing else runs. */
async function expected(llm: Llm, calls: readonly ClientCall[]): Promise<string[]> {
  const texts: string[] = []
  for (const call of calls) texts.push((await chat(llm, call)).text)
  return texts
}

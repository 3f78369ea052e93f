// What /live sends, against what was asked of the engine.
import { describe, expect, it } from 'vitest'
import type { Llm } from '../../lib/index.ts'
import { Latencies } from '../../lib/server/latencies.ts'
import type { LiveHello, PageMap, Sample } from '../../lib/server/page/wire.ts'
import { Sampler } from '../../lib/server/sampler.ts'
import { scripted } from '../../lib/testing/index.ts'
import { random } from '../support/random.ts'
import { serving } from './client.ts'

interface Event {
  event: string
  hello?: LiveHello
  sample: Sample
  pages: PageMap
}

/** Events of /live until `enough`. */
async function* watch(url: string): AsyncGenerator<Event> {
  const controller = new AbortController()
  const response = await fetch(`${url}/live`, { signal: controller.signal })
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  let rest = ''
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split('\n\n')
      rest = parts.pop()!
      for (const part of parts) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part)!
        const value = JSON.parse(data!)
        yield { event: event!, ...(event === 'hello' ? { hello: value } : value) }
      }
    }
  } finally {
    controller.abort()
  }
}

const words = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `w${from + i}`).join(' ')

describe('/live', () => {
  it('counts every token and page, and stops when nobody watches', async () => {
    const { url, llm } = await serving(() => words(20), { model: { delayMs: 5, maxSequences: 3 } })
    let calls: Promise<unknown> | undefined
    let done = false
    let total = { prefill: 0, decode: 0, steps: 0 }
    let map = new Uint8Array(0)
    let last: Sample | undefined
    for await (const { event, hello, sample, pages } of watch(url)) {
      if (event === 'hello') {
        expect(hello).toMatchObject({ model: 'scripted', slots: 3, pageTokens: 32, history: [] })
        expect(hello!.targets[0]).toEqual({ ttftMs: 1000, tpotMs: 100 })
        continue
      }
      if (!calls) {
        expect(pages.all).toBeDefined()
        map = Uint8Array.from(Buffer.from(pages.all!, 'base64'))
        expect(map.length).toBe(llm.stats().pages)
        calls = Promise.all(
          (['interactive', 'standard', 'standard', 'batch', 'batch'] as const).map((priority, i) =>
            llm.generate(words(50, 100 * i), { priority }),
          ),
        ).then(() => {
          done = true
        })
      }
      for (let i = 0; i < (pages.changed?.length ?? 0); i += 2) map[pages.changed![i]!] = pages.changed![i + 1]!
      total = {
        prefill: total.prefill + sample.prefill,
        decode: total.decode + sample.decode,
        steps: total.steps + sample.steps,
      }
      expect(sample.free + sample.cached + sample.owned + sample.shared + sample.retired).toBe(map.length)
      expect([sample.free, sample.cached, sample.owned]).toEqual(
        [0, 1, 2].map((s) => map.filter((x) => x === s).length),
      )
      expect(sample.running.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(3)
      const finished = done && sample.requests === 0 && last?.requests === 0
      last = sample
      if (finished) break
    }
    await calls
    // Five prompts of 50 tokens; 21 tokens each, of which the first comes with the prompt and the last is never computed.
    expect(total.prefill).toBe(250)
    expect(total.decode).toBeGreaterThanOrEqual(5 * 20)
    expect(total.decode).toBeLessThanOrEqual(5 * 21) // a step in flight when the end came
    expect(last!.ttft.map(({ count }) => count)).toEqual([1, 2, 2])
    expect(last!.tpot.map(({ count, within }) => count - within)).toEqual([0, 0, 0])
    expect(last!.tpot[0].p50).toBeGreaterThan(3)
    expect(last!.cached).toBe(llm.stats().prefixCache!.pages)
  })

  it('gives who comes later the history, and ends with the server', async () => {
    const { url, server } = await serving([])
    for await (const { event } of watch(url)) if (event === 'sample') break
    let events = 0
    for await (const { event, hello } of watch(url)) {
      if (event === 'hello') expect(hello!.history.length).toBeGreaterThan(0)
      if (++events === 3) void server.close()
    }
    expect(events).toBeGreaterThanOrEqual(3)
  })
})

describe('the observer', () => {
  it('hears nothing after it is closed, and its troubles are its own', async () => {
    const llm = scripted(() => 'one two three')
    const heard: string[] = []
    const view = llm.watch({
      stepped: () => {
        heard.push('step')
        throw new Error('trouble')
      },
      began: () => heard.push('began'),
      ended: () => heard.push('ended'),
    })
    expect((await llm.generate('a b c')).text).toBe('one two three')
    expect([...new Set(heard)]).toEqual(['step', 'began', 'ended'])
    view.close()
    heard.length = 0
    await llm.generate('a b c')
    expect(heard).toEqual([])
    await llm.dispose()
  })

  it('sees forks as holders of the same page', async () => {
    const llm: Llm = scripted(() => 'one two three four five six', { delayMs: 3 })
    const sampler = new Sampler(llm)
    const generation = llm.generate(words(40), { n: 3 })
    let most = 0
    for await (const _ of generation) {
      sampler.take()
      most = Math.max(most, ...Buffer.from(sampler.map().all!, 'base64'))
    }
    expect(most).toBe(4) // three holders
    await generation
    sampler.close()
    await llm.dispose()
  })
})

describe('latencies', () => {
  it('are those of the last minute, by nearest rank', () => {
    const { next } = random(7)
    const latencies = new Latencies()
    const all: { ms: number; at: number }[] = []
    expect(latencies.at(0)).toEqual({ count: 0, p50: 0, p95: 0, p99: 0, within: 0 })
    let now = 0
    for (let i = 0; i < 12_000; i++) {
      now += next() * (i < 6000 ? 5 : 100)
      const ms = Math.round(next() * 10_000) / 100
      latencies.add(ms, 50, now)
      all.push({ ms, at: now })
      if (i % 97 !== 0) continue
      const kept = all.slice(-4096).filter(({ at }) => at >= now - 60_000)
      const sorted = kept.map((one) => one.ms).sort((a, b) => a - b)
      const rank = (share: number) => sorted.find((_, k) => (k + 1) / sorted.length >= share - 1e-12)
      expect(latencies.at(now)).toEqual({
        count: kept.length,
        ...{ p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) },
        within: kept.filter((one) => one.ms <= 50).length,
      })
    }
  })
})

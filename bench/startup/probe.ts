// One fresh process of the startup bench: node probe.js MODEL. Prints a line of JSON and ends.
//
// Order matters: `require` comes first and is timed with nothing loaded, so the library is not imported above.
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

export interface Probe {
  requireMs: number
  /** load() of a model whose file is in the page cache. */
  openMs: number
  /** From load() to the first token of a short prompt. */
  firstTokenMs: number
  /**
   * Resident bytes: before `require`, with the model open and idle, at the peak after prefill and decode; and of those
   * at the end, the ones that no file backs (0 where the system does not say).
   */
  rss: { bare: number; open: number; peak: number; anonymous: number }
  kvBytes: number
  /** How late a timer of 1 ms fires, by phase. */
  delay: Record<'idle' | 'load' | 'prefill' | 'decode', Delay>
  tokens: number
  isa: string
}

/** Milliseconds beyond the timer's own period. */
export interface Delay {
  p50: number
  p99: number
  max: number
}

const PERIOD_MS = 1
const CONTEXT = 4096

async function delayed<T>(work: () => Promise<T>): Promise<[T, Delay]> {
  const histogram = monitorEventLoopDelay({ resolution: PERIOD_MS })
  histogram.enable()
  const result = await work()
  await sleep(5) // a stall at the very end shows when the timer fires again
  histogram.disable()
  const late = (ns: number) => Math.max(0, ns / 1e6 - PERIOD_MS)
  return [
    result,
    { p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) },
  ]
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function anonymousMemory(): number {
  try {
    return Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))![1]) * 1024
  } catch {
    return 0
  }
}

async function probe(model: string): Promise<Probe> {
  const bare = process.memoryUsage.rss()
  const [, idle] = await delayed(() => sleep(1000))

  const begin = performance.now()
  const { load } = require('kvasir') as typeof import('kvasir')
  const requireMs = performance.now() - begin

  const opening = performance.now()
  const [llm, loadDelay] = await delayed(() => load(model, { context: CONTEXT, maxSequences: 1 }))
  const openMs = performance.now() - opening
  await llm.generate('Once', { temperature: 0, maxTokens: 1, ignoreEos: true })
  const firstTokenMs = performance.now() - opening
  const open = process.memoryUsage.rss()

  const ids = (
    await llm.tokenize('The quick brown fox jumps over the lazy dog. '.repeat(400), { special: false })
  ).slice(0, CONTEXT - 200)
  const once = (prompt: number[], maxTokens: number) =>
    llm.generate(prompt, { temperature: 0, maxTokens, ignoreEos: true })
  const [, prefill] = await delayed(async () => once(ids, 1))
  const [answer, decode] = await delayed(async () => once(ids.slice(0, 16), 128))
  const { isa, kvBytes } = llm.info
  const peak = process.resourceUsage().maxRSS * 1024
  const anonymous = anonymousMemory()
  await llm.dispose()
  return {
    ...{ requireMs, openMs, firstTokenMs, rss: { bare, open, peak, anonymous }, kvBytes, isa },
    delay: { idle, load: loadDelay, prefill, decode },
    tokens: answer.tokens.length,
  }
}

if (require.main === module)
  probe(process.argv[2]!).then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error)
      process.exitCode = 1
    },
  )

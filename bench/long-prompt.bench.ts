// npm run bench:long-prompt [-- --streams N --prompt N --model M]: a long prompt arrives among running streams. What counts
// is the longest gap between two tokens of any stream while the prompt is computed, as a multiple of that stream's
// median gap; and what the prompt itself has to wait, beside computing it alone.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Generation, type Llm, load } from 'kvasir'
import { check, digits, main, printResult, printTable, progress, quantile, ROOT } from './harness.ts'

const WARM = 24 // tokens that every stream has before the prompt comes
const AFTER = 48 // and after its first token
const ROUNDS = 3

/** When each token came. */
async function stream(generation: Generation, times: number[]): Promise<number[]> {
  const tokens: number[] = []
  for await (const piece of generation) {
    times.push(performance.now())
    tokens.push(...piece.tokens)
  }
  return tokens
}

interface Found {
  gap: number
  median: number
  ttftMs: number
}

async function round(llm: Llm, ids: readonly number[], streams: number, prompt: number[], at: number): Promise<Found> {
  const end = new AbortController()
  const times = Array.from({ length: streams }, () => [] as number[])
  const running = times.map((own, i) =>
    stream(
      llm.generate(ids.slice(at + 50 * i, at + 50 * i + 40), {
        ...{ ignoreEos: true, temperature: 1, seed: i },
        signal: end.signal,
      }),
      own,
    ).catch((error) => (error.code === 'KV_ABORTED' ? [] : Promise.reject(error))),
  )
  const until = async (enough: () => boolean) => {
    while (!enough()) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await until(() => times.every(({ length }) => length >= WARM))
  const begin = performance.now()
  const { timings, tokens } = await llm.generate(prompt, { maxTokens: 1, temperature: 0, ignoreEos: true })
  check(tokens.length === 1, 'the long prompt has no token')
  const first = times.map(({ length }) => length)
  await until(() => times.every(({ length }, i) => length >= first[i]! + AFTER))
  end.abort()
  await Promise.all(running)

  const worst = times
    .map((own) => {
      const gaps = own
        .slice(1)
        .map((time, i) => ({ time, ms: time - own[i]! }))
        .filter(({ time }) => time > begin)
      const sorted = gaps.map(({ ms }) => ms).sort((a, b) => a - b)
      return { median: quantile(sorted, 0.5), gap: sorted.at(-1)! / quantile(sorted, 0.5) }
    })
    .sort((a, b) => b.gap - a.gap)[0]!
  return { ...worst, ttftMs: timings.ttftMs }
}

main(async () => {
  const { values } = parseArgs({
    options: {
      streams: { type: 'string', default: '32' },
      prompt: { type: 'string', default: '6000' },
      model: { type: 'string', default: 'smollm2:135m' },
    },
  })
  const streams = Number(values.streams)
  const length = Number(values.prompt)
  const llm = await load(values.model, { maxSequences: streams + 1, prefixCache: false })
  const ids = await llm.tokenize(readFileSync(join(ROOT, 'bench', 'data', 'wikitext-2-test-100k.txt'), 'utf8'))
  const { timings: alone } = await llm.generate(ids.slice(0, length), { maxTokens: 1 })
  const found: Found[] = []
  for (let i = 0; i < ROUNDS; i++) {
    found.push(await round(llm, ids, streams, ids.slice(100 * i, 100 * i + length), 200 * i))
    progress(JSON.stringify(found.at(-1)))
  }
  const { isa } = llm.info
  await llm.dispose()

  const gap = Math.max(...found.map((one) => one.gap))
  const median = quantile(
    found.map((one) => one.median).sort((a, b) => a - b),
    0.5,
  )
  const ttft = quantile(
    found.map((one) => one.ttftMs).sort((a, b) => a - b),
    0.5,
  )
  printTable(
    [`${length} tokens among ${streams} streams`, ''],
    [
      ['longest gap of any stream ÷ its median', digits(gap)],
      ['median gap in ms', digits(median)],
      ['first token of the prompt in ms', digits(ttft)],
      ['… alone', digits(alone.ttftMs)],
    ],
  )
  printResult('long-prompt', { gap_ratio: gap, gap_median_ms: median, ttft_ms: ttft, ttft_alone_ms: alone.ttftMs }, isa)
})

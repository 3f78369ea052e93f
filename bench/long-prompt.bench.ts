// npm run bench:long-prompt [-- --streams N --prompt N --model M]: a long prompt arrives among running streams. What counts
// is the longest gap between two tokens of any stream while the prompt is computed, as a multiple of that stream's
// median gap, and of its median gap before the prompt came; and what the prompt itself has to wait, beside computing it
// alone. Tokens without a text of their own (a part of a character, a control token) are excluded by a bias: they come
// with the token after them, and what would be measured is the text that the seeds draw, not the engine.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Generation, type Llm, load } from 'kvasir'
import { check, digits, main, printResult, printTable, progress, ROOT, spread } from './harness.ts'

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
  /** Against the median before the prompt came. */
  slower: number
  median: number
  undisturbed: number
  ttftMs: number
}

interface Setting {
  llm: Llm
  ids: readonly number[]
  streams: number
  logitBias: Record<number, number>
}

/** Excludes the ids that have no text of their own. */
function withoutText(llm: Llm): Record<number, number> {
  const ids = Array.from({ length: llm.info.vocabSize }, (_, id) => id)
  return Object.fromEntries(ids.filter((id) => /^$|\ufffd/.test(llm.detokenize([id]))).map((id) => [id, -100]))
}

async function round({ llm, ids, streams, logitBias }: Setting, prompt: number[], at: number): Promise<Found> {
  const end = new AbortController()
  const times = Array.from({ length: streams }, () => [] as number[])
  const running = times.map((own, i) =>
    stream(
      llm.generate(ids.slice(at + 50 * i, at + 50 * i + 40), {
        ...{ ignoreEos: true, temperature: 1, seed: i, logitBias },
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
      const gaps = own.slice(1).map((time, i) => ({ time, ms: time - own[i]! }))
      const median = medianOf(gaps.filter(({ time }) => time > begin).map(({ ms }) => ms))
      const undisturbed = medianOf(gaps.filter(({ time }) => time <= begin).map(({ ms }) => ms))
      const longest = Math.max(...gaps.filter(({ time }) => time > begin).map(({ ms }) => ms))
      return { median, undisturbed, gap: longest / median, slower: longest / undisturbed }
    })
    .sort((a, b) => b.gap - a.gap)[0]!
  return { ...worst, ttftMs: timings.ttftMs }
}

const medianOf = (values: readonly number[]): number => spread(values).median

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
  const setting = { llm, ids, streams, logitBias: withoutText(llm) }
  const found: Found[] = []
  for (let i = 0; i < ROUNDS; i++) {
    found.push(await round(setting, ids.slice(100 * i, 100 * i + length), 200 * i))
    progress(JSON.stringify(found.at(-1)))
  }
  const { isa } = llm.info
  await llm.dispose()

  const gap = Math.max(...found.map((one) => one.gap))
  const slower = Math.max(...found.map((one) => one.slower))
  const median = medianOf(found.map((one) => one.median))
  const ttft = medianOf(found.map((one) => one.ttftMs))
  printTable(
    [`${length} tokens among ${streams} streams`, ''],
    [
      ['longest gap of any stream ÷ its median', digits(gap)],
      ['… ÷ its median before the prompt came', digits(slower)],
      ['median gap in ms', digits(median)],
      ['first token of the prompt in ms', digits(ttft)],
      ['… alone', digits(alone.ttftMs)],
    ],
  )
  const figures = { gap_ratio: gap, gap_ratio_before: slower, gap_median_ms: median }
  printResult('long-prompt', { ...figures, ttft_ms: ttft, ttft_alone_ms: alone.ttftMs }, isa)
})

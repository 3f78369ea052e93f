// npm run bench:swap [-- --model M --prompt N --rounds N]: more streams than the KV cache has pages for, so that they give
// way to one another. Tokens a second when what gave way is computed again, when copies of it lie in memory, and when they
// lie in a file. Every answer is checked against the one where there is room for all.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Llm, type LoadOptions, load } from 'kvasir'
import {
  check,
  digits,
  type Figures,
  interleave,
  main,
  printResult,
  printTable,
  ROOT,
  show,
  spread,
} from './harness.ts'

const STREAMS = 12
const GENERATED = 200
const SHARE = 0.5 // of the pages that all streams need in the end

main(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'smollm2:135m' },
      prompt: { type: 'string', default: '120' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const length = Number(values.prompt)
  const pages = Math.ceil((SHARE * STREAMS * (length + GENERATED)) / 32)
  const base: LoadOptions = { maxSequences: STREAMS, context: length + GENERATED, pages }
  let ids: number[] = []
  let isa = ''
  const ask = (llm: Llm, i: number) =>
    llm.generate(ids.slice(97 * i, 97 * i + length), { temperature: 1, seed: i, maxTokens: GENERATED, ignoreEos: true })

  let expected: string[] = []
  let bytes = 0
  {
    await using llm = await load(values.model, { ...base, pages: 2 * pages + STREAMS })
    ids = await llm.tokenize(readFileSync(join(ROOT, 'bench', 'data', 'wikitext-2-test-100k.txt'), 'utf8'))
    isa = llm.info.isa
    bytes = (llm.info.kvBytes / (2 * pages + STREAMS)) * pages
    const answers = await Promise.all(Array.from({ length: STREAMS }, (_, i) => ask(llm, i)))
    check(llm.stats().preemptions === 0, 'somebody gave way where there was room')
    expected = answers.map(({ tokens }) => tokens.join())
  }

  const contender = (name: string, swap: LoadOptions['swap']) => ({
    name,
    async run(): Promise<Figures> {
      await using llm = await load(values.model, { ...base, ...(swap !== undefined && { swap }) })
      await llm.generate(ids.slice(5000, 5000 + length), { maxTokens: 16, ignoreEos: true }) // memory is there, times are known
      const begin = performance.now()
      const answers = await Promise.all(expected.map((_, i) => ask(llm, i)))
      const seconds = (performance.now() - begin) / 1000
      answers.forEach(({ tokens }, i) => {
        check(tokens.join() === expected[i], `answer ${i} is another one where there is room`)
      })
      await sleep(200) // a step may still be under way, for nobody
      const stats = llm.stats()
      check(stats.freePages === pages, `${stats.freePages} of ${pages} pages are free`)
      check(stats.preemptions > 0, 'nobody gave way')
      const copied = stats.swap ? stats.swap.outPages + stats.swap.inPages : 0
      return {
        tokens_per_second: (STREAMS * GENERATED) / seconds,
        preemptions: stats.preemptions,
        pages_copied: copied,
        gb_per_second: copied ? (copied * (bytes / pages)) / (stats.swap!.outMs + stats.swap!.inMs) / 1e6 : 0,
      }
    },
  })
  const names = ['recompute', 'memory', 'file'] as const
  const samples = await interleave(
    [
      contender('recompute', undefined),
      contender('memory', { bytes: 2 * bytes }),
      contender('file', { bytes: 2 * bytes, folder: tmpdir() }),
    ],
    Number(values.rounds),
  )

  const of = (name: string, figure: string) => samples.get(name)!.get(figure)!
  const rate = (name: string) => of(name, 'tokens_per_second')
  const gain = (name: string) => spread(rate(name).map((value, i) => value / rate('recompute')[i]!))
  printTable(
    [`${STREAMS} streams on ${pages} pages`, 'tokens/s', '÷ recompute', 'gave way', 'pages copied', 'GB/s'],
    names.map((name) => [
      name,
      show(spread(rate(name))),
      show(gain(name)),
      ...['preemptions', 'pages_copied', 'gb_per_second'].map((figure) => digits(spread(of(name, figure)).median)),
    ]),
  )
  printResult(
    'swap',
    {
      ...Object.fromEntries(names.map((name) => [`${name}_tokens_per_second`, spread(rate(name)).median])),
      memory_gain: gain('memory').median,
      file_gain: gain('file').median,
    },
    isa,
  )
})

// npm run bench:startup [-- MODEL]: what a desktop application feels. Each round is a fresh process.
//
//   require, open, first token     milliseconds; the model's file is in the page cache
//   memory                         the most that was resident, and how much of it is neither the model's file nor KV
//                                  ("beyond", at most 64 MB by design law 6); the same without what Node takes before
//                                  we are loaded ("own"); and what no file backs and no other process shares: heaps,
//                                  stacks, intermediate results ("private", Node's own included)
//   event loop                     how late a timer fires while a model loads, reads a long prompt, and answers, beside
//                                  the same process doing nothing (design law 4)
import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { load } from 'kvasir'
import { check, type Figures, interleave, main, printResult, printTable, show, spread } from './harness.ts'
import type { Probe } from './startup/probe.ts'

const ROUNDS = 5
const MB = 1e6

async function runProbe(model: string): Promise<Probe> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, 'startup', 'probe.js'), model])
  return JSON.parse(stdout) as Probe
}

main(async () => {
  const llm = await load(process.argv[2] ?? 'smollm2:135m') // fetches the model, once
  const { path, isa, weightBytes } = llm.info
  const file = statSync(path)
  const fileBytes = file.isFile() ? file.size : weightBytes
  await llm.dispose()

  const run = async (): Promise<Figures> => {
    const { requireMs, openMs, firstTokenMs, rss, kvBytes, delay, tokens } = await runProbe(path)
    check(tokens === 128, `${tokens} tokens were generated, 128 were asked for`)
    const figures: Figures = {
      require_ms: requireMs,
      open_ms: openMs,
      first_token_ms: firstTokenMs,
      rss_bare_mb: rss.bare / MB,
      rss_open_mb: rss.open / MB,
      rss_peak_mb: rss.peak / MB,
      rss_beyond_mb: (rss.peak - fileBytes - kvBytes) / MB,
      rss_own_mb: (rss.peak - rss.bare - fileBytes - kvBytes) / MB,
      rss_private_mb: (rss.anonymous - kvBytes) / MB,
    }
    for (const [phase, { p50, p99, max }] of Object.entries(delay)) {
      figures[`${phase}_delay_p50_ms`] = p50
      figures[`${phase}_delay_p99_ms`] = p99
      figures[`${phase}_delay_max_ms`] = max
    }
    return figures
  }
  const samples = (await interleave([{ name: 'startup', run }], ROUNDS)).get('startup')!
  const figures: Figures = {}
  for (const [name, values] of samples) figures[name] = spread(values).median
  const cell = (name: string) => show(spread(samples.get(name)!))
  const names = [...samples.keys()].filter((name) => !name.includes('_delay_'))
  printTable(
    ['', 'median (p10–p90)'],
    names.map((name) => [name.replaceAll('_', ' '), cell(name)]),
  )
  const phases = ['idle', 'load', 'prefill', 'decode']
  printTable(
    ['event loop late by, ms', 'p50', 'p99', 'most'],
    phases.map((phase) => [phase, ...['p50', 'p99', 'max'].map((what) => cell(`${phase}_delay_${what}_ms`))]),
  )
  printResult('startup', figures, isa)
})

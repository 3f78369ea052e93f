// kvasir bench replay TRACE: the real scheduler on a trace of a real service, over a simulated device.
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { Fcfs } from '../scheduler/policies/fcfs.ts'
import { Qos } from '../scheduler/policies/qos.ts'
import { SgLang } from '../scheduler/policies/sglang.ts'
import { Vllm } from '../scheduler/policies/vllm.ts'
import type { Policy } from '../scheduler/policy.ts'
import { PRIORITIES } from '../scheduler/service.ts'
import { PROFILES, type Profile } from '../simulate/device.ts'
import { picture } from '../simulate/picture.ts'
import { replay, type SimulatedSequence } from '../simulate/replay.ts'
import { type Summary, summarize } from '../simulate/summary.ts'
import { idealHits, readTrace, type TraceRequest } from '../simulate/trace.ts'

const POLICIES: Readonly<Record<string, () => Policy<SimulatedSequence>>> = {
  qos: () => new Qos(),
  fcfs: () => new Fcfs(),
  vllm: () => new Vllm(),
  sglang: () => new SgLang(),
}

const USAGE = `kvasir bench replay TRACE

Replays a trace (.csv as of Azure, .jsonl as of Mooncake) under a virtual clock: policies side by side, on the same
requests, over a device that only takes time.

  --policy qos,vllm   ${Object.keys(POLICIES).join(', ')}; default all
  --scale 1,2         times as fast as the trace; default 1
  --device NAME       ${Object.keys(PROFILES).join(', ')}; default h100-8b
  --requests N        only the first N
  --pages N           of 32 tokens in the KV cache
  --sequences N       computed at once
  --swap N            pages that there is room for outside the KV cache; default none
  --mix 0.4,0.4,0.2   shares of ${PRIORITIES.join(', ')}
  --seed N            of the classes and of the device's noise; default 1
  --json              one line of figures a replay, instead of a table
  --svg FILE          a picture
`

export async function benchCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      policy: { type: 'string' },
      scale: { type: 'string' },
      device: { type: 'string' },
      requests: { type: 'string' },
      pages: { type: 'string' },
      sequences: { type: 'string' },
      swap: { type: 'string' },
      mix: { type: 'string' },
      seed: { type: 'string' },
      svg: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const [what, path, ...rest] = positionals
  if (what !== 'replay' || path === undefined || rest.length > 0)
    throw new KvasirError('KV_ARGUMENT', 'expected a trace: kvasir bench replay TRACE')
  const names = list('policy', values.policy ?? Object.keys(POLICIES).join(), POLICIES)
  const [device] = list('device', values.device ?? 'h100-8b', PROFILES)
  const profile = adapted(PROFILES[device!]!, number('pages', values.pages), number('sequences', values.sequences))
  const scales = numbers('scale', values.scale ?? '1')
  const mix = numbers('mix', values.mix ?? '0.4,0.4,0.2') as [number, number, number]
  const seed = number('seed', values.seed) ?? 1
  const swapPages = number('swap', values.swap)

  const trace = fitting((await readTrace(path)).slice(0, number('requests', values.requests)), profile)
  const ideal = idealHits(trace)
  const summaries: Summary[] = []
  for (const scale of scales)
    for (const name of names) {
      const done = replay(trace, { policy: POLICIES[name]!(), profile, scale, mix, seed, swapPages })
      const summary = summarize({ policy: name, scale, idealHits: ideal, targets: profile.targets }, done)
      summaries.push(summary)
      if (values.json)
        process.stdout.write(`${JSON.stringify({ bench: 'replay', trace: basename(path), ...summary })}\n`)
    }
  const title = `${basename(path)}: ${trace.length} requests`
  if (!values.json) process.stdout.write(`${title}, ${profile.about}\n\n${table(summaries)}`)
  if (values.svg !== undefined) await writeFile(values.svg, picture(title, profile.about, summaries))
}

/** Requests that the device could run at all. */
function fitting(trace: TraceRequest[], { limits, pages }: Profile): TraceRequest[] {
  const longest = Math.min(limits.context, pages * 32)
  return trace.filter(({ prompt, output }) => prompt + Math.max(1024, 2 * output) <= longest)
}

function adapted(profile: Profile, pages = profile.pages, sequences = profile.limits.maxSequences): Profile {
  const limits = { ...profile.limits, maxSequences: sequences, maxRows: Math.max(sequences, profile.limits.maxRows) }
  return { ...profile, pages, limits }
}

function table(summaries: readonly Summary[]): string {
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`
  const ms = (x: number) => (x >= 10_000 ? `${(x / 1000).toFixed(0)} s` : `${x.toFixed(0)} ms`)
  const rows: [string, (s: Summary) => string][] = [
    ['scale', (s) => `${s.scale}×`],
    ...PRIORITIES.flatMap((name): [string, (s: Summary) => string][] => [
      [`${name}: as promised`, (s) => percent(s.classes[name].attained)],
      ['  first token p50, p99', ({ classes: { [name]: c } }) => `${ms(c.ttftMs.p50)}, ${ms(c.ttftMs.p99)}`],
      ['  a token p50, p99', ({ classes: { [name]: c } }) => `${ms(c.tpotMs.p50)}, ${ms(c.tpotMs.p99)}`],
    ]),
    ['goodput', (s) => `${s.goodput.toFixed(2)} /s`],
    ['tokens generated', (s) => `${s.tokensPerSecond.toFixed(0)} /s`],
    ['device idle', (s) => percent(s.idle)],
    ['pages used, peak', (s) => `${percent(s.pagesUsed)}, ${percent(s.pagesPeak)}`],
    ['live tokens of them', (s) => percent(s.pagesLive)],
    ['requests pre-empted', (s) => percent(s.preempted)],
    ['pages swapped out, in', (s) => `${s.swappedOut}, ${s.swappedIn}`],
    ['computed, of what had to be', (s) => percent(s.recomputed)],
    ['prefix hits, ideal', (s) => `${percent(s.hits)}, ${percent(s.idealHits)}`],
    ['steps', (s) => String(s.steps)],
    ['faster than time', (s) => `${s.speedUp.toFixed(0)}×`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const line = (name: string, cells: string[]) =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(20)).join('')}\n`
  return (
    line(
      '',
      summaries.map(({ policy }) => policy),
    ) + rows.map(([name, of]) => line(name, summaries.map(of))).join('')
  )
}

function list(flag: string, text: string, known: Readonly<Record<string, unknown>>): string[] {
  const names = text.split(',')
  for (const name of names)
    if (!Object.hasOwn(known, name))
      throw new KvasirError('KV_ARGUMENT', `--${flag} ${name}: expected one of ${Object.keys(known).join(', ')}`)
  return names
}

function numbers(flag: string, text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part)
    if (part !== '' && value >= 0 && (flag === 'mix' || value > 0)) return value
    throw new KvasirError(
      'KV_ARGUMENT',
      `--${flag}: expected numbers above 0 with commas, found ${JSON.stringify(text)}`,
    )
  })
}

const number = (flag: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : numbers(flag, text)[0]

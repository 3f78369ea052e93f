// What every bench shares: contenders run in turns, medians with their spread, a table for people, and one last line
// of JSON for programs: { bench, commit, machine, figures }.
//
// A bench checks the answer before it measures, and a shared machine drifts: so contenders alternate within a round,
// rounds repeat, and what is compared is the ratio of medians of the same rounds.
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { dirname } from 'node:path'

/** The package's folder; compiled benches do not lie beside their data. */
export const ROOT = dirname(require.resolve('kvasir/package.json'))

export type Figures = Record<string, number>

/** Something measured: each run gives figures of the same names. */
export interface Contender {
  name: string
  run(round: number): Promise<Figures>
}

/** name of contender → name of figure → one value a round. */
export type Samples = Map<string, Map<string, number[]>>

/** Runs all contenders in turns; the first `warmUps` rounds are not kept. Every other round goes backwards. */
export async function interleave(contenders: Contender[], rounds: number, warmUps = 1): Promise<Samples> {
  const samples: Samples = new Map(contenders.map(({ name }) => [name, new Map()]))
  for (let round = -warmUps; round < rounds; round++) {
    const order = round % 2 === 0 ? contenders : [...contenders].reverse()
    for (const contender of order) {
      const figures = await contender.run(round + warmUps)
      progress(`${round < 0 ? 'warm-up' : `round ${round + 1}/${rounds}`}  ${contender.name}  ${format(figures)}`)
      if (round < 0) continue
      const kept = samples.get(contender.name)!
      for (const [name, value] of Object.entries(figures)) kept.set(name, [...(kept.get(name) ?? []), value])
    }
  }
  return samples
}

export interface Spread {
  median: number
  p10: number
  p90: number
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('no sample to summarise')
  const sorted = [...values].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), p10: quantile(sorted, 0.1), p90: quantile(sorted, 0.9) }
}

/** Linear interpolation between the two nearest ranks. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1)
  const low = sorted[Math.floor(at)]!
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at))
}

/** "412 (398–430)": a median and its p10–p90. */
export function show({ median, p10, p90 }: Spread): string {
  return `${digits(median)} (${digits(p10)}–${digits(p90)})`
}

/** Three significant digits, no exponent. */
export function digits(x: number): string {
  if (!Number.isFinite(x)) return String(x)
  return Math.abs(x) >= 100 ? Math.round(x).toLocaleString('en') : String(Number(x.toPrecision(3)))
}

/** Columns as wide as their longest cell; the first one to the left, the others to the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const width = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(width[i]!) : cell.padStart(width[i]!))).join('  ')
  console.log(`${[line(head), width.map((n) => '-'.repeat(n)).join('  '), ...rows.map(line)].join('\n')}\n`)
}

/** The last line of a bench, which is also returned. */
export function printResult(bench: string, figures: Figures, isa: string): string {
  const bad = Object.entries(figures).filter(([, value]) => !Number.isFinite(value))
  if (bad.length > 0) throw new Error(`figures that are no numbers: ${JSON.stringify(Object.fromEntries(bad))}`)
  const line = JSON.stringify({ bench, commit: commit(), machine: machine(isa), figures })
  console.log(line)
  return line
}

export function machine(isa: string) {
  const model = cpus()[0]?.model ?? 'unknown'
  return { cpu: model, cores: availableParallelism(), node: process.version, isa, load: loadavg()[0]! }
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty')
  } catch {
    return 'unknown' // an installed package has no repository
  }
}

/** A passing remark: not part of the result. */
export function progress(text: string): void {
  console.error(text)
}

function format(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${digits(value)}`)
    .join('  ')
}

/** Ends the process with an error unless the answer is right: figures of a wrong answer are worth nothing. */
export function check(right: boolean, what: string): void {
  if (!right) throw new Error(`wrong answer, nothing was measured: ${what}`)
}

/** Runs a bench; a failure is printed and becomes the exit status. */
export function main(bench: () => Promise<void>): void {
  bench().then(
    () => process.exit(),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
}

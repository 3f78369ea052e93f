// Bar charts of results as SVG, for the README: npm run bench:picture -- RESULT.json PICTURE.svg TITLE FIGURE=LABEL…
//
// RESULT.json is a bench's last line (or its whole output; the last line counts). Horizontal bars on one scale from
// zero, the value beside each; a figure named kvasir… is drawn in the strong colour, one named limit… hollow. No script, no font, no dependency.
import { readFileSync, writeFileSync } from 'node:fs'
import { digits, type Figures, main } from './harness.ts'

export interface Bar {
  label: string
  value: number
  kind: 'ours' | 'peer' | 'limit'
}

const WIDTH = 720
const LABEL = 190
const VALUE = 80
const BAR = 24
const GAP = 10
const TOP = 46
const PAINT = {
  ours: 'fill="#0a7d5a"',
  peer: 'fill="#9aa5b1"',
  limit: 'fill="none" stroke="#9aa5b1" stroke-dasharray="4 3"',
}

export function barChart(title: string, bars: readonly Bar[], caption: string): string {
  if (bars.length === 0) throw new Error('a chart of nothing')
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const room = WIDTH - LABEL - VALUE
  const height = TOP + bars.length * (BAR + GAP) + 28
  const rows = bars.map(({ label, value, kind }, i) => {
    const y = TOP + i * (BAR + GAP)
    const width = Math.max(1, (Math.max(0, value) / most) * room).toFixed(1)
    const middle = y + BAR / 2 + 5
    return [
      `<text x="${LABEL - 10}" y="${middle}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width}" height="${BAR}" rx="3" ${PAINT[kind]}/>`,
      `<text x="${(LABEL + Number(width) + 8).toFixed(1)}" y="${middle}">${digits(value)}</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="14" fill="#1f2933">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="28" font-size="17" font-weight="600">${escapeXml(title)}</text>
${rows.join('\n')}
<text x="16" y="${height - 12}" font-size="11" fill="#616e7c">${escapeXml(caption)}</text>
</svg>
`
}

const escapeXml = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)

interface Result {
  bench: string
  commit: string
  machine: { cpu: string; cores: number; node: string; isa: string }
  figures: Figures
}

function draw(path: string, picture: string, title: string, wanted: readonly string[]): void {
  const result = JSON.parse(readFileSync(path, 'utf8').trim().split('\n').at(-1)!) as Result
  const bars = wanted.map((argument) => {
    const [figure, label] = argument.split('=') as [string, string | undefined]
    const value = result.figures[figure]
    if (value === undefined)
      throw new Error(`${path} has no figure ${figure}; it has ${Object.keys(result.figures).join(', ')}`)
    const kind = figure.startsWith('kvasir') ? 'ours' : figure.startsWith('limit') ? 'limit' : 'peer'
    return { label: label ?? figure.replaceAll('_', ' '), value, kind } as const
  })
  const { cpu, cores, isa, node } = result.machine
  writeFileSync(
    picture,
    barChart(title, bars, `bench:${result.bench}, ${result.commit}: ${cpu}, ${cores} cores, ${isa}, Node ${node}`),
  )
}

if (require.main === module)
  main(async () => {
    const [path, picture, title, ...figures] = process.argv.slice(2)
    if (!path || !picture || !title || figures.length === 0)
      throw new Error('usage: bench:picture -- RESULT.json PICTURE.svg TITLE FIGURE[=LABEL]…')
    draw(path, picture, title, figures)
  })

// Replays as a picture (SVG): for each class, a bar a policy and scale, as long as the share of requests that were served
// as promised.
import { PRIORITIES } from '../scheduler/service.ts'
import type { Summary } from './summary.ts'

const WIDTH = 640
const LEFT = 150
const RIGHT = 60
const BAR = 16
const COLORS: Readonly<Record<string, string>> = {
  qos: '#2563eb',
  fcfs: '#0d9488',
  vllm: '#d97706',
  sglang: '#9333ea',
}

export function picture(title: string, about: string, summaries: readonly Summary[]): string {
  const parts: string[] = []
  let y = 76
  const text = (x: number, at: number, content: string, extra = '') =>
    parts.push(`<text x="${x}" y="${at}"${extra}>${escaped(content)}</text>`)
  text(16, 28, title, ' font-size="15" font-weight="600"')
  text(16, 46, about)
  for (const priority of PRIORITIES) {
    const { ttftMs, tpotMs } = summaries[0]!.targets[priority]
    text(16, y, `${priority}: first token within ${ttftMs} ms, then one every ${tpotMs} ms`, ' font-weight="600"')
    y += 8
    for (const { policy, scale, classes } of summaries) {
      const { attained } = classes[priority]
      const length = (WIDTH - LEFT - RIGHT) * attained
      text(16, y + BAR - 4, `${policy}, ${scale}×`)
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${WIDTH - LEFT - RIGHT}" height="${BAR - 3}" fill="#e5e7eb"/>`,
        `<rect x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 3}" fill="${COLORS[policy] ?? '#555'}"/>`,
      )
      text(WIDTH - RIGHT + 6, y + BAR - 4, `${(100 * attained).toFixed(1)} %`)
      y += BAR
    }
    y += 28
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${y}" fill="white"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

const escaped = (text: string) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!)

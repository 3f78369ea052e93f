// The classes of service: who runs and who waits, and how soon tokens come against what was promised. The promise of every
// class is the same line; left of it is in time. The scale is logarithmic: a step is ten times as long.
import { h } from './dom.ts'
import { compact, duration } from './ink.ts'
import type { Latency, LiveHello, Sample } from './wire.ts'

const NAMES = ['Interactive', 'Standard', 'Batch']
const COLOURS = ['interactive', 'standard', 'batch']
const DECADES_BELOW = 3
const DECADES = 4

export class ClassesView {
  readonly element: HTMLElement
  private readonly rows = NAMES.map((name, rank) => new ClassRow(name, COLOURS[rank]!))

  constructor() {
    this.element = h(
      'section',
      { class: 'card classes' },
      h('header', {}, h('h2', {}, 'Classes'), h('span', { class: 'about' }, 'answers of the last minute')),
      ...this.rows.map(({ element }) => element),
      h(
        'footer',
        { class: 'scale', 'aria-hidden': 'true' },
        h('span', {}, 'p50, p95, p99'),
        h('span', { class: 'promise' }, 'promised'),
      ),
    )
  }

  update({ running, waiting, ttft, tpot }: Sample, { targets, slots }: LiveHello): void {
    const most = Math.max(slots / 2, ...running.map((count, rank) => count + waiting[rank]!))
    this.rows.forEach((row, rank) => {
      const { ttftMs, tpotMs } = targets[rank]!
      row.update(running[rank]!, waiting[rank]!, most)
      row.first.update(ttft[rank]!, ttftMs)
      row.next.update(tpot[rank]!, tpotMs)
    })
  }
}

class ClassRow {
  readonly element: HTMLElement
  readonly first = new Track('First token')
  readonly next = new Track('Each next')
  private readonly counts = h('span', { class: 'counts' })
  private readonly runs = h('i', { class: 'runs' })
  private readonly waits = h('i', { class: 'waits' })

  constructor(name: string, colour: string) {
    this.element = h(
      'div',
      { class: `class ${colour}`, role: 'group', 'aria-label': name },
      h('h3', {}, h('i'), name, this.counts),
      h('div', { class: 'queue', 'aria-hidden': 'true' }, this.runs, this.waits),
      this.first.element,
      this.next.element,
    )
  }

  update(running: number, waiting: number, most: number): void {
    this.counts.replaceChildren(h('b', {}, compact(running)), ' running ', h('b', {}, compact(waiting)), ' waiting')
    this.runs.style.width = `${(100 * running) / most}%`
    this.waits.style.width = `${(100 * waiting) / most}%`
  }
}

class Track {
  readonly element: HTMLElement
  private readonly figures = h('span', { class: 'figures' })
  private readonly kept = h('span', { class: 'kept' })
  private readonly span = h('i', { class: 'span' })
  private readonly marks = [h('i', { class: 'mark' }), h('i', { class: 'mark' }), h('i', { class: 'mark' })]
  private readonly track: HTMLElement

  constructor(label: string) {
    this.track = h(
      'div',
      { class: 'line', 'aria-hidden': 'true' },
      this.span,
      ...this.marks,
      h('i', { class: 'target' }),
    )
    this.element = h(
      'div',
      { class: 'track' },
      h('span', { class: 'name' }, label),
      this.figures,
      this.kept,
      this.track,
    )
  }

  update({ count, p50, p95, p99, within }: Latency, target: number): void {
    this.element.classList.toggle('none', count === 0)
    if (count === 0) {
      this.figures.textContent = 'none yet'
      this.kept.textContent = `≤ ${duration(target)}`
      return
    }
    this.figures.textContent = [p50, p95, p99].map(duration).join(' · ')
    const share = (100 * within) / count
    this.kept.textContent = `${share === 100 ? 100 : share.toFixed(1)} % ≤ ${duration(target)}`
    this.element.classList.toggle('late', share < 99)
    const at = (ms: number) => {
      const decades = DECADES_BELOW + Math.log10(Math.max(ms, 1e-3) / target)
      return Math.min(100, Math.max(0, (100 * decades) / DECADES))
    }
    const places = [p50, p95, p99].map(at)
    this.marks.forEach((mark, i) => {
      mark.style.left = `${places[i]}%`
    })
    this.span.style.left = `${places[0]}%`
    this.span.style.width = `${places[2]! - places[0]!}%`
  }
}

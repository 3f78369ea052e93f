// A curve of the last minute, drawn by hand: areas one above another, or lines beside each other. It moves with the time,
// or, where motion is not wanted, with every sample.
import { h } from './dom.ts'
import { compact, css, fitCanvas, ink, still } from './ink.ts'
import type { Sample } from './wire.ts'

export const WINDOW_MS = 60_000
const LEFT = 42
const RIGHT = 8
const TOP = 10
const BOTTOM = 22
const HEIGHT = 190

export interface Series {
  label: string
  colour: string
  value(samples: readonly Sample[], i: number): number
}

export interface ChartOptions {
  title: string
  unit: string
  series: Series[]
  /** The values are parts of a whole. */
  stacked?: boolean
  /** A line at what can be reached at most. */
  limit?: () => number
}

export class Chart {
  readonly element: HTMLElement
  private readonly canvas = h('canvas', { role: 'img', tabindex: 0 })
  private readonly tip = h('div', { class: 'tip', hidden: true })
  private readonly now: HTMLElement[]
  private scale = 1
  private width = 0
  private pointer: number | undefined // x of the crosshair
  private samples: readonly Sample[] = []
  private time = 0 // of the right edge

  constructor(private readonly options: ChartOptions) {
    this.now = options.series.map(() => h('b', {}, '0'))
    const key = options.series.map(({ label, colour }, i) =>
      h('span', { class: `key ${colour}` }, h('i'), `${label} `, this.now[i]!),
    )
    this.element = h(
      'section',
      { class: 'card chart' },
      h('header', {}, h('h2', {}, options.title), h('div', { class: 'keys' }, ...key)),
      h('div', { class: 'plot' }, this.canvas, this.tip),
    )
    new ResizeObserver(([entry]) => {
      this.width = entry!.contentRect.width
      this.draw(this.samples, this.time)
    }).observe(this.canvas)
    this.canvas.addEventListener('pointermove', (event) => this.point(event.offsetX))
    this.canvas.addEventListener('pointerleave', () => this.point(undefined))
    this.canvas.addEventListener('blur', () => this.point(undefined))
    this.canvas.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.point(undefined)
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
      event.preventDefault()
      const step = (this.plotWidth * 1000) / WINDOW_MS
      const from = this.pointer ?? LEFT + this.plotWidth
      this.point(from + (event.key === 'ArrowLeft' ? -step : step))
    })
  }

  /** The figures beside the title, and what a screen reader says of the curve. */
  label(samples: readonly Sample[]): void {
    const last = samples.length - 1
    const texts = this.options.series.map(({ label, value }, i) => {
      const text = compact(last < 0 ? 0 : value(samples, last))
      this.now[i]!.textContent = text
      return `${label} ${text}`
    })
    this.canvas.setAttribute(
      'aria-label',
      `${this.options.title}, last minute; now ${texts.join(', ')} ${this.options.unit}`,
    )
  }

  /** `time` is that of the right edge, on the clock of the samples. */
  draw(samples: readonly Sample[], time: number): void {
    this.samples = samples
    this.time = time
    if (this.width === 0) return
    const context = fitCanvas(this.canvas, this.width, HEIGHT)
    context.clearRect(0, 0, this.width, HEIGHT)
    let first = samples.length
    while (first > 0 && samples[first - 1]!.at > time - WINDOW_MS - 1000) first--
    const sums = this.heights(samples, first)
    const most = Math.max(this.options.limit?.() ?? 0, ...sums.map((row) => Math.max(...row)), 8)
    const goal = niceMost(most)
    this.scale = still.matches ? goal : this.scale + (goal - this.scale) * 0.12
    if (Math.abs(this.scale - goal) < goal * 0.002) this.scale = goal
    this.axes(context, goal)
    context.save()
    context.beginPath()
    context.rect(LEFT, 0, this.plotWidth, HEIGHT - BOTTOM + 1)
    context.clip()
    const order = this.options.series.map((_, i) => i)
    for (const i of this.options.stacked ? order.reverse() : order) this.curve(context, samples, first, sums[i]!, i)
    this.limit(context)
    context.restore()
    this.crosshair(context, samples, first, sums)
  }

  private get plotWidth(): number {
    return this.width - LEFT - RIGHT
  }

  private x(at: number): number {
    return LEFT + this.plotWidth * (1 - (this.time - at) / WINDOW_MS)
  }

  private y(value: number): number {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / this.scale)
  }

  // Of each series what is drawn: its value, or with those below it.
  private heights(samples: readonly Sample[], first: number): number[][] {
    const { series, stacked } = this.options
    const rows = series.map(({ value }) => samples.slice(first).map((_, i) => value(samples, first + i)))
    if (stacked) for (let s = 1; s < rows.length; s++) rows[s] = rows[s]!.map((value, i) => value + rows[s - 1]![i]!)
    return rows
  }

  private axes(context: CanvasRenderingContext2D, most: number): void {
    context.font = '11px Inter, system-ui, sans-serif'
    context.lineWidth = 1
    context.textBaseline = 'middle'
    context.textAlign = 'right'
    const step = niceStep(most / 4)
    for (let value = 0; value <= this.scale * 1.02; value += step) {
      const y = Math.round(this.y(value)) + 0.5
      context.strokeStyle = css(ink('line'), value === 0 ? 1 : 0.7)
      context.beginPath()
      context.moveTo(LEFT, y)
      context.lineTo(this.width - RIGHT, y)
      context.stroke()
      context.fillStyle = css(ink('soft'))
      context.fillText(compact(value), LEFT - 8, y)
    }
    context.textBaseline = 'alphabetic'
    for (let back = 0; back <= 60; back += 15) {
      context.textAlign = back === 60 ? 'left' : back === 0 ? 'right' : 'center'
      const x = LEFT + this.plotWidth * (1 - back / 60)
      context.fillText(back === 0 ? 'now' : `−${back} s`, x, HEIGHT - 5)
    }
  }

  private curve(
    context: CanvasRenderingContext2D,
    samples: readonly Sample[],
    first: number,
    row: number[],
    i: number,
  ): void {
    if (row.length === 0) return
    const colour = ink(this.options.series[i]!.colour)
    const base = this.y(0)
    const right = this.width - RIGHT
    const newest = this.x(samples.at(-1)!.at)
    const line = new Path2D()
    row.forEach((value, k) => {
      line.lineTo(this.x(samples[first + k]!.at), this.y(value))
    })
    // Until the next sample is there, things are as they were.
    if (newest < right) line.lineTo(right, this.y(row.at(-1)!))
    const area = new Path2D(line)
    area.lineTo(Math.max(newest, right), base)
    area.lineTo(this.x(samples[first]!.at), base)
    if (this.options.stacked) {
      context.fillStyle = css(ink('raised'))
      context.fill(area)
      context.fillStyle = css(colour, 0.35)
    } else {
      const fade = context.createLinearGradient(0, TOP, 0, base)
      fade.addColorStop(0, css(colour, 0.28))
      fade.addColorStop(1, css(colour, 0.03))
      context.fillStyle = fade
    }
    context.fill(area)
    context.strokeStyle = css(colour)
    context.lineWidth = 1.75
    context.lineJoin = 'round'
    context.stroke(line)
  }

  private limit(context: CanvasRenderingContext2D): void {
    const most = this.options.limit?.() ?? 0
    if (most === 0) return
    context.strokeStyle = css(ink('soft'), 0.8)
    context.setLineDash([3, 4])
    context.lineWidth = 1
    context.beginPath()
    context.moveTo(LEFT, this.y(most))
    context.lineTo(this.width - RIGHT, this.y(most))
    context.stroke()
    context.setLineDash([])
    context.fillStyle = css(ink('soft'))
    context.textAlign = 'left'
    context.fillText(`${compact(most)} slots`, LEFT + 2, this.y(most) - 5)
  }

  private point(x: number | undefined): void {
    this.pointer = x === undefined ? undefined : Math.min(this.width - RIGHT, Math.max(LEFT, x))
    this.draw(this.samples, this.time)
  }

  private crosshair(
    context: CanvasRenderingContext2D,
    samples: readonly Sample[],
    first: number,
    rows: number[][],
  ): void {
    this.tip.hidden = this.pointer === undefined || first >= samples.length
    if (this.tip.hidden) return
    const at = this.time - WINDOW_MS * (1 - (this.pointer! - LEFT) / this.plotWidth)
    let i = first
    while (i + 1 < samples.length && Math.abs(samples[i + 1]!.at - at) <= Math.abs(samples[i]!.at - at)) i++
    const x = Math.min(this.x(samples[i]!.at), this.width - RIGHT)
    context.strokeStyle = css(ink('soft'))
    context.beginPath()
    context.moveTo(x, TOP)
    context.lineTo(x, HEIGHT - BOTTOM)
    context.stroke()
    this.options.series.forEach(({ colour }, s) => {
      context.fillStyle = css(ink(colour))
      context.beginPath()
      context.arc(x, this.y(rows[s]![i - first]!), 3, 0, 7)
      context.fill()
    })
    const ago = Math.max(0, Math.round((this.time - samples[i]!.at) / 1000))
    this.tip.replaceChildren(
      h('small', {}, ago === 0 ? 'now' : `${ago} s ago`),
      ...this.options.series.map(({ label, colour, value }) =>
        h('span', { class: `key ${colour}` }, h('i'), `${label} `, h('b', {}, compact(value(samples, i)))),
      ),
    )
    const left = x + 12 + this.tip.offsetWidth > this.width ? x - 12 - this.tip.offsetWidth : x + 12
    this.tip.style.transform = `translateX(${left}px)`
  }
}

const niceStep = (rough: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 0.25)))
  const factors = power < 10 ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10]
  return Math.max(1, factors.find((factor) => factor * power >= rough * 0.999)! * power)
}

const niceMost = (most: number): number => {
  const step = niceStep(most / 4)
  return Math.ceil((most * 1.04) / step) * step
}

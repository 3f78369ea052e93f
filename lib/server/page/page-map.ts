// Every page of the KV cache as a cell: free, cached, owned, shared by so many. Only what has changed is painted; a change
// fades in, so that the eye can follow it. Where there are more pages than cells, a cell is the mean of several.
import { h } from './dom.ts'
import { compact, css, fitCanvas, ink, mix, type Rgb, still } from './ink.ts'
import { CACHED, FREE, type PageMap, RETIRED, type Sample } from './wire.ts'

const [SMALLEST, LARGEST] = [3, 28] // of a cell, in pixels
const FADE_MS = 450

export class PageMapView {
  readonly element: HTMLElement
  private readonly canvas = h('canvas', { role: 'img' })
  private readonly tip = h('div', { class: 'tip', hidden: true })
  private readonly counts: Record<'free' | 'cached' | 'owned' | 'shared' | 'retired', HTMLElement>
  private readonly retired: HTMLElement
  private readonly about = h('span', { class: 'about' })
  private states = new Uint8Array(0)
  private before = new Uint8Array(0) // what a cell showed before it changed
  private changedAt = new Float64Array(0)
  private readonly fading = new Set<number>()
  private width = 0
  private height = 0
  private size = 0
  private columns = 0
  private each = 1 // pages of a cell

  constructor() {
    const count = () => h('b', {}, '0')
    this.counts = { free: count(), cached: count(), owned: count(), shared: count(), retired: count() }
    const key = (name: keyof typeof this.counts, label: string) =>
      h('span', { class: `key page-${name}` }, h('i'), `${label} `, this.counts[name])
    this.retired = key('retired', 'given back')
    this.element = h(
      'section',
      { class: 'card pages' },
      h(
        'header',
        {},
        h('h2', {}, 'Pages of the KV cache'),
        this.about,
        h(
          'div',
          { class: 'keys' },
          key('free', 'free'),
          key('cached', 'cached'),
          key('owned', 'owned'),
          key('shared', 'shared'),
          h('span', { class: 'ramp' }, 'by 2', h('i'), '32'),
          this.retired,
        ),
      ),
      h('div', { class: 'plot' }, this.canvas, this.tip),
    )
    new ResizeObserver(([entry]) => {
      this.width = entry!.contentRect.width
      this.height = entry!.contentRect.height
      this.layOut()
    }).observe(this.canvas.parentElement!)
    this.canvas.addEventListener('pointermove', (event) => this.point(event.offsetX, event.offsetY))
    this.canvas.addEventListener('pointerleave', () => {
      this.tip.hidden = true
    })
  }

  describe(text: string): void {
    this.about.textContent = text
  }

  update({ all, changed = [] }: PageMap, sample: Sample, now: number): void {
    if (all !== undefined) {
      this.states = Uint8Array.from(atob(all), (char) => char.charCodeAt(0))
      this.before = this.states.slice()
      this.changedAt = new Float64Array(this.states.length)
      this.layOut()
    }
    for (let i = 0; i < changed.length; i += 2) {
      const page = changed[i]!
      this.before[page] = this.states[page]!
      this.states[page] = changed[i + 1]!
      this.changedAt[page] = now
      this.fading.add(Math.floor(page / this.each))
    }
    for (const name of ['free', 'cached', 'owned', 'shared', 'retired'] as const)
      this.counts[name].textContent = compact(sample[name])
    const { free, cached, owned, shared, retired } = sample
    this.retired.hidden = retired === 0
    this.canvas.setAttribute(
      'aria-label',
      `${free} pages free, ${cached} cached, ${owned} owned by one sequence, ${shared} shared by several${retired ? `, ${retired} given back` : ''}`,
    )
  }

  /** Paints the cells that are changing. */
  draw(now: number): void {
    if (this.fading.size === 0 || this.size === 0) return
    const context = this.canvas.getContext('2d')!
    for (const cell of this.fading) if (this.paint(context, cell, now)) this.fading.delete(cell)
  }

  layOut(): void {
    const pages = this.states.length
    if (this.width === 0 || pages === 0) return
    const rows = (size: number) => Math.ceil(pages / Math.floor(this.width / size))
    this.size = LARGEST
    while (this.size > SMALLEST && rows(this.size) * this.size > this.height) this.size--
    this.columns = Math.max(1, Math.floor(this.width / this.size))
    this.each = Math.max(1, Math.ceil(pages / (this.columns * Math.max(1, Math.floor(this.height / this.size)))))
    const cells = Math.ceil(pages / this.each)
    const context = fitCanvas(this.canvas, this.width, Math.ceil(cells / this.columns) * this.size)
    context.clearRect(0, 0, this.width, this.height + this.size)
    this.fading.clear()
    for (let cell = 0; cell < cells; cell++) this.paint(context, cell, Infinity)
  }

  // True when the cell shows what it will show.
  private paint(context: CanvasRenderingContext2D, cell: number, now: number): boolean {
    const gap = this.size > 5 ? 1.5 : this.size > 3 ? 1 : 0.5
    const x = (cell % this.columns) * this.size
    const y = Math.floor(cell / this.columns) * this.size
    let colour: Rgb = [0, 0, 0]
    let over = true
    const first = cell * this.each
    const end = Math.min(first + this.each, this.states.length)
    for (let page = first; page < end; page++) {
      const t = still.matches ? 1 : Math.min(1, (now - this.changedAt[page]!) / FADE_MS)
      if (t < 1) over = false
      const own =
        t < 1 ? mix(colourOf(this.before[page]!), colourOf(this.states[page]!), t) : colourOf(this.states[page]!)
      colour = mix(colour, own, 1 / (page - first + 1))
    }
    context.clearRect(x, y, this.size, this.size)
    context.fillStyle = css(colour)
    context.beginPath()
    context.roundRect(x, y, this.size - gap, this.size - gap, this.size > 7 ? 2 : 0)
    context.fill()
    return over
  }

  private point(x: number, y: number): void {
    const column = Math.floor(x / this.size)
    const page = (Math.floor(y / this.size) * this.columns + column) * this.each
    const state = this.states[page]
    this.tip.hidden = state === undefined || column >= this.columns
    if (this.tip.hidden) return
    const name = this.each > 1 ? `Pages ${page}–${page + this.each - 1}: first ` : `Page ${page}: `
    this.tip.textContent = name + described(state!)
    const left = Math.min(x + 12, this.width - this.tip.offsetWidth)
    this.tip.style.transform = `translate(${left}px, ${y + 14}px)`
  }
}

function colourOf(state: number): Rgb {
  if (state === FREE) return ink('page-free')
  if (state === RETIRED) return ink('page-retired')
  if (state === CACHED) return ink('page-cached')
  if (state === 2) return ink('page-owned')
  return mix(ink('page-shared'), ink('page-crowd'), Math.min(1, Math.log2((state - 1) / 2) / 4))
}

function described(state: number): string {
  if (state === FREE) return 'free'
  if (state === RETIRED) return 'given back to the system'
  if (state === CACHED) return 'cached for prompts to come'
  return state === 2 ? 'owned by one sequence' : `shared by ${state === 254 ? 'more than 252' : state - 1} sequences`
}

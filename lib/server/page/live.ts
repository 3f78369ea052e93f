// The engine at work: figures, curves, pages, classes.
import { Chart, type Series } from './chart.ts'
import { ClassesView } from './classes.ts'
import { h } from './dom.ts'
import { Feed } from './feed.ts'
import { compact, duration, forgetInks, still } from './ink.ts'
import { PageMapView } from './page-map.ts'
import type { LiveHello, PageMap, Sample } from './wire.ts'

const REMEMBERED = 300 // samples
const LAG_MS = 400 // the newest sample slides in from the right edge
const SMOOTH = 4 // samples that a rate is the mean of

// A rate by the second, over the last samples.
const rate = (pick: (sample: Sample) => number) => (samples: readonly Sample[], i: number) => {
  let [sum, ms] = [0, 0]
  for (let k = Math.max(0, i - SMOOTH + 1); k <= i; k++) {
    sum += pick(samples[k]!)
    ms += samples[k]!.ms
  }
  return ms > 0 ? (1000 * sum) / ms : 0
}

const decodeRate = rate(({ decode }) => decode)
const prefillRate = rate(({ prefill }) => prefill)
const running = (rank: number, label: string, colour: string): Series => ({
  label,
  colour,
  value: (samples, i) => samples[i]!.running[rank]!,
})

const TILES = {
  running: 'Running',
  waiting: 'Waiting',
  decode: 'Generated',
  prefill: 'Prompts',
  step: 'Step',
  busy: 'Device busy',
  hits: 'Prefix hits',
  preemptions: 'Pre-emptions',
} as const

export class LiveView {
  private hello: LiveHello | undefined
  private samples: Sample[] = []
  private offset = 0 // of our clock against the samples'
  private frame = 0
  private visible = false
  private readonly tiles = Object.fromEntries(Object.keys(TILES).map((name) => [name, h('dd')])) as Record<
    keyof typeof TILES,
    HTMLElement
  >
  private readonly problem = h('p', { class: 'problem', role: 'status', hidden: true })
  private readonly about = h('p', { class: 'engine' })
  private readonly map = new PageMapView()
  private readonly classes = new ClassesView()
  private readonly charts = [
    new Chart({
      title: 'Generated tokens',
      unit: 'a second',
      series: [{ label: 'tokens/s', colour: 'decode', value: decodeRate }],
    }),
    new Chart({
      title: 'Prompt tokens',
      unit: 'a second',
      series: [{ label: 'tokens/s', colour: 'prefill', value: prefillRate }],
    }),
    new Chart({
      title: 'Running',
      unit: 'sequences',
      stacked: true,
      limit: () => this.hello?.slots ?? 0,
      series: [
        running(0, 'interactive', 'interactive'),
        running(1, 'standard', 'standard'),
        running(2, 'batch', 'batch'),
      ],
    }),
  ]
  private readonly feed: Feed

  constructor(root: HTMLElement, keyWanted: () => void) {
    this.feed = new Feed({
      hello: (hello) => this.begin(hello),
      sample: (sample, pages) => this.take(sample, pages),
      state: (problem, refused) => {
        this.problem.textContent = problem
        this.problem.hidden = !problem
        if (refused) keyWanted()
      },
    })
    const tiles = Object.entries(TILES).map(([name, label]) =>
      h('div', {}, h('dt', {}, label), this.tiles[name as keyof typeof TILES]),
    )
    root.append(
      h('h1', { class: 'unseen' }, 'The engine at work'),
      this.problem,
      h('dl', { class: 'tiles' }, ...tiles),
      ...this.charts.map(({ element }) => element),
      this.map.element,
      this.classes.element,
      this.about,
    )
    document.addEventListener('visibilitychange', () => this.follow())
  }

  show(visible: boolean): void {
    this.visible = visible
    this.follow()
  }

  /** The server may answer now. */
  retry(): void {
    this.follow()
  }

  /** The colours are different. */
  repaint(): void {
    forgetInks()
    this.map.layOut()
    this.draw()
  }

  // Nothing runs here while nobody looks.
  private follow(): void {
    if (this.visible && !document.hidden) this.feed.start()
    else this.feed.stop()
  }

  private begin(hello: LiveHello): void {
    this.hello = hello
    this.samples = hello.history
    this.offset = Infinity
    this.map.describe(`${hello.pageTokens} tokens each`)
    const facts = [
      hello.model,
      `context ${compact(hello.context)}`,
      hello.threads > 0 && `${hello.threads} threads`,
      hello.isa !== 'none' && hello.isa,
      hello.kvBytes > 0 && `KV cache ${hello.kv}, ${compact(hello.kvBytes / 2 ** 20)} MB`,
    ]
    this.about.textContent = facts.filter(Boolean).join(' · ')
  }

  private take(sample: Sample, pages: PageMap): void {
    const now = performance.now()
    this.samples.push(sample)
    if (this.samples.length > REMEMBERED) this.samples.shift()
    // The sample that came soonest tells the clocks' distance best; drift is followed slowly.
    this.offset = Math.min(this.offset + 0.5, now - sample.at)
    this.map.update(pages, sample, now)
    this.classes.update(sample, this.hello!)
    this.figures(sample)
    for (const chart of this.charts) chart.label(this.samples)
    if (still.matches) this.draw()
    else this.frame ||= requestAnimationFrame(() => this.animate())
  }

  private animate(): void {
    this.frame = 0
    if (!this.visible || document.hidden) return
    this.draw()
    this.frame = requestAnimationFrame(() => this.animate())
  }

  private draw(): void {
    const now = performance.now()
    const newest = this.samples.at(-1)?.at ?? 0
    // When nothing comes any more, time stands still.
    const time = still.matches ? newest : Math.min(now - this.offset - LAG_MS, newest + 2 * LAG_MS)
    for (const chart of this.charts) chart.draw(this.samples, time)
    this.map.draw(now)
  }

  private figures(sample: Sample): void {
    const { tiles, samples, hello } = this
    const last = samples.length - 1
    const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
    const window = samples.slice(-SMOOTH)
    const sum = (pick: (one: Sample) => number) => window.reduce((all, one) => all + pick(one), 0)
    const steps = sum((one) => one.steps)
    const busy = Math.min(100, (100 * sum((one) => one.busyMs)) / sum((one) => one.ms))
    const show = (name: keyof typeof TILES, value: string, unit = '') => {
      tiles[name].replaceChildren(value, h('small', {}, unit))
    }
    show('running', compact(total(sample.running)), ` of ${compact(hello!.slots)}`)
    show('waiting', compact(total(sample.waiting)))
    show('decode', compact(decodeRate(samples, last)), ' tokens/s')
    show('prefill', compact(prefillRate(samples, last)), ' tokens/s')
    show('step', steps ? duration(sum((one) => one.busyMs) / steps) : '—')
    show('busy', `${Math.round(busy)}`, ' %')
    const { hitTokens, promptTokens } = sample
    show('hits', promptTokens ? `${Math.round((100 * hitTokens) / promptTokens)}` : '—', promptTokens ? ' %' : '')
    const { preemptions, swappedIn } = sample
    show('preemptions', compact(preemptions), swappedIn ? ` ${compact(swappedIn)} pages swapped in` : '')
  }
}

// Colours of the style sheet for the canvas, as the theme has them now, and canvases as sharp as the screen.
import { h } from './dom.ts'

export type Rgb = readonly [number, number, number]

const probe = h('i', { hidden: true })
let known = new Map<string, Rgb>()

/** The custom property --name as red, green, blue. */
export function ink(name: string): Rgb {
  let colour = known.get(name)
  if (!colour) {
    if (!probe.isConnected) document.body.append(probe)
    probe.style.color = `var(--${name})`
    colour = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? ['0', '0', '0'])
      .slice(0, 3)
      .map(Number) as unknown as Rgb
    known.set(name, colour)
  }
  return colour
}

/** The theme has changed. */
export function forgetInks(): void {
  known = new Map()
}

export const css = ([r, g, b]: Rgb, alpha = 1): string => `rgb(${r} ${g} ${b} / ${alpha})`

export const mix = (a: Rgb, b: Rgb, t: number): Rgb =>
  [0, 1, 2].map((i) => a[i]! + (b[i]! - a[i]!) * t) as unknown as Rgb

/** Makes the canvas `width` × `height` in the page's pixels. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w
    canvas.height = h
    canvas.style.height = `${height}px`
  }
  const context = canvas.getContext('2d')!
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  return context
}

export const still = matchMedia('(prefers-reduced-motion: reduce)')

const FEW = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, notation: 'compact' })
const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

export const compact = (x: number): string => (x < 10_000 ? WHOLE.format(x) : FEW.format(x))

/** Milliseconds for people. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 100_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s` : `${Math.round(ms / 60_000)} min`
}

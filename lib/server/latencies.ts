// Percentiles of the last minute.
import type { Latency } from './page/wire.ts'

const WINDOW_MS = 60_000
const MOST = 4096 // values that are remembered

export class Latencies {
  private readonly values = new Float64Array(MOST)
  private readonly times = new Float64Array(MOST)
  private readonly kept = new Uint8Array(MOST) // 1: within its target
  private first = 0
  private count = 0
  private latest: Latency | undefined

  add(ms: number, target: number, now: number): void {
    if (this.count === MOST) this.drop()
    const at = (this.first + this.count++) % MOST
    this.values[at] = ms
    this.times[at] = now
    this.kept[at] = ms <= target ? 1 : 0
    this.latest = undefined
  }

  at(now: number): Latency {
    while (this.count > 0 && this.times[this.first]! < now - WINDOW_MS) this.drop()
    this.latest ??= this.compute()
    return this.latest
  }

  private drop(): void {
    this.first = (this.first + 1) % MOST
    this.count--
    this.latest = undefined
  }

  private compute(): Latency {
    const { first, count } = this
    const sorted = new Float64Array(count)
    let within = 0
    for (let i = 0; i < count; i++) {
      const at = (first + i) % MOST
      sorted[i] = this.values[at]!
      within += this.kept[at]!
    }
    sorted.sort()
    // Nearest rank: the smallest value that so many percent are not above.
    const rank = (percent: number) => round(sorted[Math.max(0, Math.ceil((count * percent) / 100) - 1)] ?? 0)
    return { count, p50: rank(50), p95: rank(95), p99: rank(99), within }
  }
}

export const round = (x: number): number => Math.round(x * 100) / 100

// A bar on stderr while something long goes on; nothing where stderr is no terminal.
import { SingleBar } from 'cli-progress'

export interface Bar {
  /** Bytes of `label` done, and in all. */
  update(label: string, done: number, total: number): void
  stop(): void
}

export function progressBar(): Bar {
  const bar = new SingleBar({
    format: '{label} {bar} {percentage}% of {totalMB} MB, {duration_formatted}',
    hideCursor: true,
    clearOnComplete: false,
    noTTYOutput: false,
    stream: process.stderr,
  })
  let current = ''
  return {
    update(label, done, total) {
      if (total <= 0) return
      const fields = { label, totalMB: (total / 1e6).toFixed(0) }
      if (label === current) return bar.update(done, fields)
      if (current) bar.stop()
      current = label
      bar.start(total, done, fields)
    },
    stop() {
      if (current) bar.stop()
      current = ''
    },
  }
}

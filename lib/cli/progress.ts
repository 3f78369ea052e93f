// A bar on stderr while something long goes on; nothing where stderr is no terminal.
import { SingleBar } from 'cli-progress'

export interface Bar {
  /** Bytes of `label` done, and in all. */
  update(label: string, done: number, total: number): void
  stop(): void
}

export function progressBar(): Bar {
  const bar = new SingleBar({
    format: '{label} {bar} {percentage}% {doneMB} of {totalMB} MB, {eta_formatted} left',
    hideCursor: true,
    clearOnComplete: false,
    noTTYOutput: false,
    stream: process.stderr,
    etaBuffer: 50,
  })
  const mb = (bytes: number) => (bytes / 1e6).toFixed(0)
  let current = ''
  return {
    update(label, done, total) {
      if (total <= 0) return
      const fields = { label, doneMB: mb(done), totalMB: mb(total) }
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

// How short of memory this process is: a few files of the kernel, read now and again. Two signs count.
//
//   free     bytes that can be had without anybody losing what it holds: of the tightest cgroup, or of the machine
//   stalled  the share of the time in which somebody waited for memory (pressure stall information, PSI): what was
//            taken away had to be read again, or room had to be made first
//
// PSI is of our own group under version 2. Under version 1 the kernel counts for the machine as a whole, so there it
// counts for us only while our group is full. https://docs.kernel.org/accounting/psi.html
import { memoryGroups } from './cgroup.ts'
import { memoryOf } from './machine.ts'
import { text } from './read.ts'

export interface MemoryReading {
  /** Bytes that we may hold at most. */
  limit: number
  free: number
  /** Since the last reading, from 0 to 1; 0 at the first, and where the kernel does not say. */
  stalled: number
}

/** A group is full when so much of it is in use, cached files included. */
const FULL = 0.95

export type MemoryGauge = () => MemoryReading

/** Undefined where the system does not say what is free in a way to act on: macOS counts what it could reclaim as used. */
export function memoryGauge(
  root = '',
  platform: NodeJS.Platform = process.platform,
  now = () => performance.now(),
): MemoryGauge | undefined {
  if (platform === 'darwin') return undefined
  const last = { at: now(), file: '', total: Number.NaN }
  return () => {
    const { memory, available } = memoryOf(root)
    const groups = memoryGroups(root)
    const shares = [
      { limit: memory, free: available },
      ...groups.map(({ limit, used }) => ({ limit, free: limit - used })),
    ]
    const tightest = shares.reduce((a, b) => (b.free / b.limit < a.free / a.limit ? b : a))
    const own = groups.find(({ pressure }) => pressure !== undefined)?.pressure
    const counts = own !== undefined || groups.length === 0 || groups.some(({ limit, held }) => held > FULL * limit)
    const file = own ?? `${root}/proc/pressure/memory`
    const total = Number(/^some .*total=(\d+)/m.exec(text(file) ?? '')?.[1] ?? Number.NaN) // µs
    const at = now()
    const share = file === last.file && at > last.at ? (total - last.total) / 1000 / (at - last.at) : 0
    Object.assign(last, { at, file, total })
    return { ...tightest, free: Math.max(0, tightest.free), stalled: counts ? Math.min(1, share || 0) : 0 }
  }
}

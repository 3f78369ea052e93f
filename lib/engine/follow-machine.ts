// What a loaded model follows while it lives: the memory that the machine and the cgroup have left, and whether a laptop is
// plugged in. One timer that keeps no process alive, and a few files of the kernel each time: about 0.2 ms.
import type { MemoryGauge } from '../machine/memory-pressure.ts'
import type { Power } from '../machine/power.ts'
import type { NativeExecutor, Priority } from '../native.ts'
import type { Engine } from './engine.ts'
import { KvBudget } from './kv-budget.ts'

const EVERY_MS = 1000
const POWER_EVERY = 5

export interface Followed {
  /** Bytes of a page of the KV cache, and what tells how short memory is. */
  memory?: { pageBytes: number; gauge: MemoryGauge } | undefined
  power?: (() => Power) | undefined
}

/** A laptop's battery lasts longer, and its owner's own programs come first, when we only take what nobody else wants. */
export const priorityOn = (power: Power): Priority => (power === 'battery' ? 'background' : 'normal')

/** Returns what ends it. */
export function followMachine(
  engine: Engine,
  device: Pick<NativeExecutor, 'setPriority'>,
  { memory, power }: Followed,
): () => void {
  if (!memory && !power) return () => {}
  const budget = new KvBudget(memory?.pageBytes ?? 0)
  let ticks = 0
  const timer = setInterval(() => {
    if (memory) {
      const change = budget.next(memory.gauge(), engine.memory.pages(), performance.now())
      if (change) engine.allow(change)
    }
    if (!power || ++ticks % POWER_EVERY !== 0) return
    try {
      device.setPriority(priorityOn(power()))
    } catch {
      // It is being disposed, or the system has no threads to spare: next time.
    }
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

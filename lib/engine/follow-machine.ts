// What a loaded model follows while it lives: the memory that the machine and the cgroup have left. One timer that keeps no
// process alive, and a few files of the kernel each time: about 0.2 ms.
import type { MemoryGauge } from '../machine/memory-pressure.ts'
import type { Engine } from './engine.ts'
import { KvBudget } from './kv-budget.ts'

const EVERY_MS = 1000

/** Returns what ends it. */
export function followMachine(engine: Engine, pageBytes: number, memory: MemoryGauge): () => void {
  const budget = new KvBudget(pageBytes)
  const timer = setInterval(() => {
    const change = budget.next(memory(), engine.memory.pages(), performance.now())
    if (change) engine.allow(change)
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

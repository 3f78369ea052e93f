// What this process holds, after a full collection.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Two collections, with turns of the event loop between and after them, in which native objects are released. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    collect()
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

export interface Memory {
  heapMb: number
  externalMb: number
  rssMb: number
}

export async function memory(): Promise<Memory> {
  await collectGarbage()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapMb: heapUsed / 1e6, externalMb: external / 1e6, rssMb: rss / 1e6 }
}

/** AddressSanitizer keeps what was freed for a while, so a process under it may grow. */
export const sanitized = 'ASAN_OPTIONS' in process.env

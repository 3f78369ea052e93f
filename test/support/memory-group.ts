// A memory cgroup for the processes of a test: needs root, and a controller that may be used.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of a new group that allows `bytes`; undefined where none can be made. */
export function memoryGroup(bytes: number): string | undefined {
  for (const [root, file] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const folder = join(root, `kvasir-test-${process.pid}-${Date.now()}`)
    try {
      mkdirSync(folder)
      if (!existsSync(join(folder, file))) throw new Error('no memory controller')
      writeFileSync(join(folder, file), String(bytes))
      return folder
    } catch {
      if (existsSync(folder)) rmdirSync(folder)
    }
  }
  return undefined
}

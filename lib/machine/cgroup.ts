// The limits that a container or a service puts on this process (Linux control groups, versions 1 and 2). A limit of any
// group above ours holds for us, too. Version 1 has a folder a controller.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html
import { dirname, join } from 'node:path'
import { field, text, value } from './read.ts'

export interface MemoryGroup {
  limit: number
  /** Bytes in use, cached files included: those the kernel takes back before it refuses anything. */
  held: number
  /** Bytes in use without them. */
  used: number
  /** Where the kernel tells how long tasks of the group waited for memory; version 2 alone. */
  pressure?: string
}

interface Group {
  controllers: string[] | null // null: version 2
  folder: string
}

/** Our groups and those above them, the innermost first. */
function groups(root: string): Group[] {
  const found: Group[] = []
  for (const line of (text(`${root}/proc/self/cgroup`) ?? '').split('\n')) {
    const [, controllers, path] = line.split(':')
    if (path === undefined) continue
    for (let group = path; ; group = dirname(group)) {
      const folder = join(`${root}/sys/fs/cgroup`, controllers!, group)
      found.push({ controllers: controllers === '' ? null : controllers!.split(','), folder })
      if (group === '/' || group === '.') break
    }
  }
  return found
}

/** The groups that limit our memory. */
export function memoryGroups(root = ''): MemoryGroup[] {
  return groups(root).flatMap(({ controllers, folder }): MemoryGroup[] => {
    if (controllers && !controllers.includes('memory')) return []
    const [limit, held] = controllers
      ? [value(join(folder, 'memory.limit_in_bytes')), value(join(folder, 'memory.usage_in_bytes'))]
      : [
          lowest(value(join(folder, 'memory.max')), value(join(folder, 'memory.high'))),
          value(join(folder, 'memory.current')),
        ]
    if (!(limit < 2 ** 60) || Number.isNaN(held)) return [] // version 1 writes a number near 2^63 for none
    const table = text(join(folder, 'memory.stat'))
    const of = (name: string) => field(table, controllers ? `total_${name}` : name) || 0
    const used = Math.max(0, held - of('active_file') - of('inactive_file') - of('slab_reclaimable'))
    return [{ limit, held, used, ...(!controllers && { pressure: join(folder, 'memory.pressure') }) }]
  })
}

/** CPUs that the groups allow, or null. */
export function cpuQuota(root = ''): number | null {
  let least = Number.POSITIVE_INFINITY
  for (const { controllers, folder } of groups(root)) {
    if (controllers && !controllers.includes('cpu')) continue
    const [quota, period] = controllers
      ? [value(join(folder, 'cpu.cfs_quota_us')), value(join(folder, 'cpu.cfs_period_us'))]
      : (text(join(folder, 'cpu.max')) ?? '').split(' ').map(Number)
    if (quota! > 0 && period! > 0) least = Math.min(least, quota! / period!)
  }
  return least < Number.POSITIVE_INFINITY ? least : null
}

// NaN, which 'max' reads as, is no limit.
const lowest = (...limits: number[]) => Math.min(...limits.filter((limit) => limit >= 0))

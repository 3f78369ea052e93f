// What the machine gives to this process: processor, memory, power, and the limits that a container or service sets.
import { statfsSync } from 'node:fs'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { cpuQuota, memoryGroups } from './cgroup.ts'
import { type Power, power } from './power.ts'
import { field, text } from './read.ts'

export interface Machine {
  cpu: string
  /** Hardware threads that this process may use. */
  threads: number
  /** Of the instruction sets that we have kernels for, those that the processor has, the best first. */
  isas: string[]
  /** CPUs that the cgroup allows, or null. */
  cpuQuota: number | null
  memory: number
  /** Bytes that this process can have now, within its cgroups, too. Cached files are no obstacle. */
  available: number
  /** Bytes that the tightest cgroup allows, and bytes in use of them that are not cached files, or null. */
  memoryLimit: number | null
  memoryUsed: number | null
  power: Power
}

/** More threads than the quota are stopped in every period: one that waits holds up all others. */
export const threadsFor = (cores: number, { cpuQuota }: Pick<Machine, 'cpuQuota'>): number =>
  cpuQuota === null ? cores : Math.max(1, Math.min(cores, Math.floor(cpuQuota)))

// As native/cpu/features.cc asks for them, the best first.
const SETS = {
  avx512: ['avx2', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_vnni'],
  avxvnni: ['avx2', 'fma', 'f16c', 'bmi2', 'avx_vnni'],
  avx2: ['avx2', 'fma', 'f16c', 'bmi2'],
  i8mm: ['asimddp', 'i8mm'],
  dotprod: ['asimddp'],
  neon: ['asimd'],
}

/** `root` is '' but in tests. */
export function machine(root = ''): Machine {
  const info = text(`${root}/proc/cpuinfo`) ?? ''
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/))
  const sets = Object.entries(SETS).filter(([, needed]) => needed.every((flag) => flags.has(flag)))
  const { memory, available } = memoryOf(root)
  const groups = memoryGroups(root)
  const tightest = groups.reduce((least, group) => (least && least.limit <= group.limit ? least : group), groups[0])
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? cpus()[0]?.model ?? 'unknown',
    threads: availableParallelism(),
    isas: [...sets.map(([name]) => name), 'baseline'],
    cpuQuota: cpuQuota(root),
    memory,
    available: Math.max(0, Math.min(available, ...groups.map(({ limit, used }) => limit - used))),
    memoryLimit: tightest?.limit ?? null,
    memoryUsed: tightest?.used ?? null,
    power: power(root),
  }
}

/** Of the machine as a whole. */
export function memoryOf(root = ''): { memory: number; available: number } {
  const table = text(`${root}/proc/meminfo`)
  return {
    memory: field(table, 'MemTotal') * 1024 || totalmem(),
    available: field(table, 'MemAvailable') * 1024 || freemem(),
  }
}

/** Bytes that are free on the disk of a folder, or of the nearest one above it that exists. */
export function freeDisk(folder: string): number {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = statfsSync(path)
      return bavail * bsize
    } catch (error) {
      if (path === dirname(path)) throw error
    }
  }
}

// What the machine gives to this process: processor, memory, and the limits that a container or service puts on both.
import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'

export interface Machine {
  cpu: string
  /** Hardware threads that this process may use. */
  threads: number
  /** Of the instruction sets that we have kernels for, those that the processor has, the best first. */
  isas: string[]
  /** CPUs that the cgroup allows, or null. */
  cpuQuota: number | null
  memory: number
  available: number
  /** Bytes that the cgroup allows, and bytes in use of them, or null. */
  memoryLimit: number | null
  memoryUsed: number | null
  /** True on a laptop that is not plugged in. */
  onBattery: boolean
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
  const meminfo = text(`${root}/proc/meminfo`) ?? ''
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(meminfo)?.[1] ?? Number.NaN)
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? cpus()[0]?.model ?? 'unknown',
    threads: availableParallelism(),
    isas: [...sets.map(([name]) => name), 'baseline'],
    ...cgroup(root),
    memory: kilobytes('MemTotal') * 1024 || totalmem(),
    available: kilobytes('MemAvailable') * 1024 || freemem(),
    onBattery: onBattery(`${root}/sys/class/power_supply`),
  }
}

// A limit of any group above ours holds for us too, so the smallest counts. Version 1 has a folder a controller.
function cgroup(root: string): Pick<Machine, 'cpuQuota' | 'memoryLimit' | 'memoryUsed'> {
  const own = text(`${root}/proc/self/cgroup`) ?? ''
  const base = `${root}/sys/fs/cgroup`
  const result: Pick<Machine, 'cpuQuota' | 'memoryLimit' | 'memoryUsed'> = {
    cpuQuota: null,
    memoryLimit: null,
    memoryUsed: null,
  }
  const limitMemory = (limit: number, used: number) => {
    // Version 1 writes a number near 2^63 for none.
    if (!(limit < 2 ** 60) || limit >= (result.memoryLimit ?? Number.POSITIVE_INFINITY)) return
    result.memoryLimit = limit
    result.memoryUsed = used
  }
  const limitCpu = (quota: number, period: number) => {
    if (quota > 0 && period > 0) result.cpuQuota = Math.min(result.cpuQuota ?? Number.POSITIVE_INFINITY, quota / period)
  }
  for (const line of own.split('\n')) {
    const [, controllers, path] = line.split(':')
    if (path === undefined) continue
    const v1 = controllers !== ''
    const names = controllers!.split(',')
    for (let group = path; ; group = dirname(group)) {
      const folder = join(base, v1 ? controllers! : '', group)
      if (!v1) {
        limitMemory(value(join(folder, 'memory.max')), value(join(folder, 'memory.current')))
        const [quota, period] = (text(join(folder, 'cpu.max')) ?? '').split(' ')
        limitCpu(Number(quota), Number(period))
      } else if (names.includes('memory')) {
        limitMemory(value(join(folder, 'memory.limit_in_bytes')), value(join(folder, 'memory.usage_in_bytes')))
      } else if (names.includes('cpu')) {
        limitCpu(value(join(folder, 'cpu.cfs_quota_us')), value(join(folder, 'cpu.cfs_period_us')))
      }
      if (group === '/' || group === '.') break
    }
  }
  return result
}

function onBattery(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => text(join(folder, name, 'status')) === 'Discharging')
  } catch {
    return false // no battery, or no Linux
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

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

const value = (path: string): number => Number(text(path) ?? Number.NaN)

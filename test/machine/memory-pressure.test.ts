// Readings of a kernel's files, in made-up roots.
import { expect, it } from 'vitest'
import { memoryGauge } from '../../lib/machine/memory-pressure.ts'
import { files, write } from '../support/files.ts'

const meminfo = (available: number) => `MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: ${available} kB`
const psi = (total: number) =>
  `some avg10=0.00 avg60=0.00 avg300=0.00 total=${total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1`
const v2 = {
  'proc/meminfo': meminfo(15_000_000),
  'proc/self/cgroup': '0::/pod/box',
  'sys/fs/cgroup/pod/memory.max': '4000000000',
  'sys/fs/cgroup/pod/memory.current': '3900000000',
  'sys/fs/cgroup/pod/memory.stat':
    'anon 3600000000\nactive_file 100000000\ninactive_file 100000000\nslab_reclaimable 50000000',
  'sys/fs/cgroup/pod/memory.pressure': psi(7e9),
  'sys/fs/cgroup/pod/box/memory.max': '1000000000',
  'sys/fs/cgroup/pod/box/memory.high': '800000000',
  'sys/fs/cgroup/pod/box/memory.current': '790000000',
  'sys/fs/cgroup/pod/box/memory.stat':
    'anon 190000000\nactive_file 400000000\ninactive_file 200000000\nworkingset_refault_file 9',
  'sys/fs/cgroup/pod/box/memory.pressure': psi(1000),
  'proc/pressure/memory': psi(5e9),
}

function gauge(contents: Record<string, string>) {
  const root = files(contents)
  const clock = { ms: 0 }
  const read = memoryGauge(root, 'linux', () => clock.ms)!
  return { root, clock, read }
}

it('version 2: the tightest group, its cached files left aside, and its own stalls', () => {
  const { root, clock, read } = gauge(v2)
  clock.ms = 1000
  expect(read()).toEqual({ limit: 4e9, free: 350e6, stalled: 0 }) // the pod above ours has 9 % left
  write(root, {
    'sys/fs/cgroup/pod/memory.current': '1000000000',
    'sys/fs/cgroup/pod/box/memory.pressure': psi(251_000),
  })
  clock.ms = 2000
  expect(read()).toEqual({ limit: 8e8, free: 610e6, stalled: 0.25 })
  clock.ms = 3000
  expect(read().stalled).toBe(0)
})

it('version 1: the machine’s stalls count while the group is full', () => {
  const box = 'sys/fs/cgroup/memory/box'
  const { root, clock, read } = gauge({
    'proc/meminfo': meminfo(15_000_000),
    'proc/self/cgroup': '4:memory:/box\n3:cpu,cpuacct:/box\n0::/',
    [`${box}/memory.limit_in_bytes`]: '1000000000',
    [`${box}/memory.usage_in_bytes`]: '990000000',
    [`${box}/memory.stat`]:
      'active_file 1\ninactive_file 2\ntotal_active_file 600000000\ntotal_inactive_file 290000000',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '5000000000',
    'proc/pressure/memory': psi(0),
  })
  read()
  clock.ms = 1000
  write(root, { 'proc/pressure/memory': psi(500_000) })
  expect(read()).toEqual({ limit: 1e9, free: 900e6, stalled: 0.5 })
  clock.ms = 2000
  write(root, { 'proc/pressure/memory': psi(1e6), [`${box}/memory.usage_in_bytes`]: '900000000' })
  expect(read().stalled).toBe(0)
})

it('no group: the machine', () => {
  const { root, clock, read } = gauge({ 'proc/meminfo': meminfo(15_000_000), 'proc/pressure/memory': psi(0) })
  read()
  clock.ms = 1000
  write(root, { 'proc/pressure/memory': psi(5e7) }) // more than there was time
  expect(read()).toEqual({ limit: 16_000_000 * 1024, free: 15_000_000 * 1024, stalled: 1 })
})

it('a kernel without PSI tells no stalls, a system without files tells what os does, and macOS nothing', () => {
  const { clock, read } = gauge({ 'proc/meminfo': meminfo(15_000_000) })
  read()
  clock.ms = 1000
  expect(read().stalled).toBe(0)
  const windows = memoryGauge(files({}), 'win32')!()
  expect(windows.free).toBeGreaterThan(0)
  expect(windows.free).toBeLessThanOrEqual(windows.limit)
  expect(memoryGauge('', 'darwin')).toBeUndefined()
})

it('files that hold nonsense tell nothing', () => {
  const nonsense = Object.fromEntries(Object.keys(v2).map((path) => [path, 'x -1 \u0000']))
  const { limit, free, stalled } = gauge({ ...nonsense, 'proc/self/cgroup': '0::/pod/box\nx\n::' }).read()
  expect([limit > 0, free > 0, stalled]).toEqual([true, true, 0])
})

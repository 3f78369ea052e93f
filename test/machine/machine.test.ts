import { describe, expect, it } from 'vitest'
import { machine } from '../../lib/machine/machine.ts'
import { files } from '../support/files.ts'

describe('the machine', () => {
  it('is what /proc says', () => {
    const found = machine(
      files({
        'proc/cpuinfo': 'processor\t: 0\nmodel name\t: Fast 9000\nflags\t\t: fpu avx2 fma f16c bmi2 avx512f',
        'proc/meminfo': 'MemTotal:       8000000 kB\nMemFree: 1 kB\nMemAvailable:   2000000 kB',
      }),
    )
    expect(found).toMatchObject({ cpu: 'Fast 9000', isas: ['avx2', 'baseline'], memory: 8192e6, available: 2048e6 })
    expect(found).toMatchObject({ cpuQuota: null, memoryLimit: null })
  })

  it('has the smallest limit of its cgroup and those above it', () => {
    const v2 = machine(
      files({
        'proc/self/cgroup': '0::/pod/box',
        'sys/fs/cgroup/pod/memory.max': '1000000000',
        'sys/fs/cgroup/pod/memory.current': '400000000',
        'sys/fs/cgroup/pod/box/memory.max': 'max',
        'sys/fs/cgroup/pod/box/cpu.max': '150000 100000',
        'sys/fs/cgroup/pod/cpu.max': 'max 100000',
      }),
    )
    expect(v2).toMatchObject({ cpuQuota: 1.5, memoryLimit: 1e9, memoryUsed: 4e8 })
    const v1 = machine(
      files({
        'proc/self/cgroup': '4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/x',
        'sys/fs/cgroup/memory/box/memory.limit_in_bytes': '500000000',
        'sys/fs/cgroup/memory/box/memory.usage_in_bytes': '100000000',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
        'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000',
      }),
    )
    expect(v1).toMatchObject({ cpuQuota: null, memoryLimit: 5e8, memoryUsed: 1e8 })
  })
})

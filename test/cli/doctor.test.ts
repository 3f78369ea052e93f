import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Facts, findings } from '../../lib/cli/doctor/findings.ts'
import { machine } from '../../lib/engine/machine.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

/** A root with these files. */
function files(contents: Record<string, string>): string {
  const root = temporaryFolder()
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${text}\n`)
  }
  return root
}

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

const healthy: Facts = {
  versions: { kvasir: '1', runtime: 'Node 20', system: 'linux-x64' },
  machine: {
    ...{ cpu: 'Fast 9000', threads: 8, isas: ['avx2', 'baseline'], cpuQuota: null },
    ...{ memory: 16e9, available: 8e9, memoryLimit: null, memoryUsed: null, onBattery: false },
  },
  addon: { ok: true, value: { isa: 'avx2', cores: 4, version: '1', file: 'kvasir.node' } },
  cuda: null,
  cache: { folder: 'models', writable: true, free: 50e9, models: [] },
  model: null,
  load: null,
  plan: null,
  warnings: [],
  overrides: {},
}
const advice = (facts: Partial<Facts>) =>
  findings({ ...healthy, ...facts })
    .filter((finding) => finding.advice)
    .map(({ label, failed }) => (failed ? `${label}!` : label))

describe('what to do', () => {
  it('is said only where something is wrong', () => {
    expect(advice({})).toEqual(['test'])
    expect(advice({ addon: { ok: false, reason: 'its process ended with SIGILL' } })).toEqual(['addon!'])
    expect(advice({ model: 'm', load: { ok: false, reason: 'KV_FORMAT: bad' } })).toEqual(['test!'])
    expect(advice({ machine: { ...healthy.machine, onBattery: true } })).toEqual(['processor', 'test'])
    expect(advice({ machine: { ...healthy.machine, memoryLimit: 2e9, memoryUsed: 1.5e9 } })).toEqual(['memory', 'test'])
    expect(advice({ cache: { ...healthy.cache, writable: false } })).toEqual(['models', 'test'])
    expect(advice({ warnings: ['doubtful'] })).toEqual(['test', 'model'])
    const baseline = { ok: true, value: { isa: 'baseline', cores: 4, version: '1', file: '' } } as const
    expect(advice({ addon: baseline, overrides: { KVASIR_ISA: 'baseline' } })).toEqual(['kernels', 'test'])
  })
})

describe('kvasir doctor', () => {
  const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js')
  const doctor = (args: string[], env: object = {}) =>
    spawnSync(process.execPath, [main, 'doctor', ...args], { encoding: 'utf8', env: { ...process.env, ...env } })

  it('loads a model and says how fast it is', async () => {
    const { status, stdout } = doctor([await testModel(), '--json'])
    const report = JSON.parse(stdout)
    expect(report.plan).toMatchObject({ kv: 'kv8', limits: { context: 8192 }, why: { context: expect.any(String) } })
    expect(report.addon.value.file).toMatch(/\.node$/)
    expect(report.load.value.tokensPerSecond).toBeGreaterThan(1)
    expect(report.load.value.peakMemory).toBeGreaterThan(5e7)
    expect(report.findings.filter(({ failed }: { failed: boolean }) => failed)).toEqual([])
    expect(status).toBe(0)
  })

  it('says what is broken, and fails', async () => {
    const { status, stdout, stderr } = doctor([await testModel()], { KVASIR_ISA: 'avx9' })
    expect(stdout).toMatch(/✗ addon .*KVASIR_ISA names no instruction set.*\n\s+→ Unset KVASIR_ISA/)
    expect(stderr).toMatch(/see addon above/)
    expect(status).toBe(1)
    const folder = files({ 'bad.gguf': 'GGUF' })
    const bad = doctor([join(folder, 'bad.gguf')])
    expect(bad.stdout).toMatch(/✗ test .*KV_FORMAT/)
    expect(bad.status).toBe(1)
  })
})

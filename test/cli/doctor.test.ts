import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Facts, findings } from '../../lib/cli/doctor/findings.ts'
import { files } from '../support/files.ts'
import { testModel } from '../support/model.ts'

const healthy: Facts = {
  versions: { kvasir: '1', runtime: 'Node 20', system: 'linux-x64' },
  machine: {
    ...{ cpu: 'Fast 9000', threads: 8, isas: ['avx2', 'baseline'], cpuQuota: null },
    ...{ memory: 16e9, available: 8e9, memoryLimit: null, memoryUsed: null, power: 'unknown' },
  },
  addon: { ok: true, value: { isa: 'avx2', cores: 4, version: '1', file: 'kvasir.node' } },
  bandwidth: null,
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
    expect(advice({ machine: { ...healthy.machine, memoryLimit: 2e9, memoryUsed: 1.5e9, available: 5e8 } })).toEqual([
      'memory',
      'test',
    ])
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

// Other processors than this one, by qemu: scripts/test-cpus.cjs and scripts/test-arm64.cjs. A few models where qemu is
// there; all of them, and the engine in a Node for Arm, in test:full.
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(__dirname, '../..')
const full = process.env['KVASIR_TEST'] === 'full'
const has = (tool: string) => !spawnSync(tool, ['--version']).error
const run = (script: string) =>
  execFileSync(process.execPath, [join(root, 'scripts', script), ...(full ? [] : ['--quick'])], { encoding: 'utf8' })

test.runIf(process.arch === 'x64' && has('qemu-x86_64'))(
  'every x86 model runs the sets that it has',
  () => {
    const report = run('test-cpus.cjs')
    console.log(report)
    expect(report.trimEnd().endsWith('\n0 failed')).toBe(true)
  },
  1_200_000,
)

test.runIf(full && has('aarch64-linux-gnu-g++') && has('qemu-aarch64'))(
  'the kernels and the engine compute on Arm what they compute here',
  () => {
    const report = run('test-arm64.cjs')
    console.log(report)
    expect(report.trimEnd().endsWith('\n0 failed')).toBe(true)
  },
  1_800_000,
)

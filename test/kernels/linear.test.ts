import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'

// The cases and the reference are native (test/native/linear_test.cc), so that they reach every instruction set of the
// build and not only the one that the addon would choose here.
const root = join(__dirname, '../..')
const build = join(root, 'build/native')

beforeAll(() => {
  execFileSync('cmake', ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], { cwd: root })
  execFileSync('cmake', ['--build', build, '--target', 'linear_test', 'gated_test', '-j', '2'], { cwd: root })
})

test('linear has the bits of its formula in every format, instruction set and shape', () => {
  const table = execFileSync(join(build, 'linear_test'), { encoding: 'utf8' })
  console.log(table)
  expect(table.trimEnd().endsWith('\n0 failed')).toBe(true)
})

test('gated_linear has the bits of linear and swiglu', () => {
  const table = execFileSync(join(build, 'gated_test'), { encoding: 'utf8' })
  console.log(table)
  expect(table.trimEnd().endsWith('\n0 failed')).toBe(true)
})

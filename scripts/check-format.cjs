// Fails when a native source is not as clang-format leaves it.
const { execFileSync, spawnSync } = require('node:child_process')
const { join } = require('node:path')

const root = join(__dirname, '..')
const files = execFileSync('git', ['ls-files', 'native', 'test/native', 'test/simt'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => /\.(cc|cu|h|inc)$/.test(path))
const clangFormat = require.resolve('clang-format/index.js')
const { status } = spawnSync(process.execPath, [clangFormat, '--dry-run', '-Werror', ...files], {
  cwd: root,
  stdio: 'inherit',
})
process.exitCode = status ?? 1

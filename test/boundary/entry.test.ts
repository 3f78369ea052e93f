// The package from CommonJS and from ES modules: one copy, the same names, nothing loaded before it is needed.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const cwd = join(__dirname, '..', '..')
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }).trim()

it('require and import give the same thing', () => {
  const same = `import { createRequire } from 'node:module'
    import * as module from 'kvasir'
    const required = createRequire(process.cwd() + '/x.js')('kvasir')
    console.log(Object.keys(module).sort().join(), Object.keys(required).sort().join(),
      Object.keys(module).every((name) => module[name] === required[name]))`
  expect(run('--input-type=module', '-e', same)).toBe('KvasirError,load KvasirError,load true')
})

it('loading the package loads the code of calls alone: no addon, no other package but its loader', () => {
  const loaded = `require('kvasir'); console.log(Object.keys(require.cache).join())`
  const files = run('-e', loaded).split(',')
  const packages = files.flatMap((path) => path.split('/node_modules/')[1]?.split('/')[0] ?? [])
  expect([...new Set(packages)]).toEqual(['node-gyp-build'])
  expect(files.filter((path) => path.endsWith('.node'))).toEqual([])
  const parts = files.filter((path) => path.startsWith(join(cwd, 'dist'))).map((path) => path.slice(cwd.length + 6))
  for (const late of ['server', 'cli', 'hub', 'compiler', 'chat/template'])
    expect(parts.filter((part) => part.startsWith(late))).toEqual([])
})

it('loading the package brings in none of the large modules of Node', () => {
  const builtins = `const before = new Set(process.moduleLoadList); require('kvasir')
    const added = process.moduleLoadList.filter((name) => !before.has(name))
    require('node:fs').writeSync(1, added.filter((name) => / (crypto|stream|net|http|https|zlib|child_process)$/.test(name)).join())`
  expect(run('-e', builtins)).toBe('')
})

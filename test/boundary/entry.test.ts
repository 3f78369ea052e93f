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

it('loading the package does not load the addon, and does not keep the process', () => {
  const addons = `require('kvasir'); console.log(Object.keys(require.cache).filter((path) => path.endsWith('.node')).length)`
  expect(run('-e', addons)).toBe('0')
})

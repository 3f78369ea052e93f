// What the addon asks of the process that loads it: Node-API and an old glibc, nothing of V8's, libuv's or libstdc++'s, so
// one file runs on every Node, in Electron, Bun and Deno.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { describe, expect, it } from 'vitest'

const addon = nodeGypBuild.path(join(__dirname, '..', '..'))
const nm = (...flags: string[]) =>
  execFileSync('nm', ['-D', ...flags, addon], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/).at(-1)!)

describe.runIf(process.platform === 'linux')('the symbols of the addon', () => {
  const wanted = nm('--undefined-only')

  it('come from Node-API', () => {
    expect(wanted.filter((name) => name.startsWith('napi_')).length).toBeGreaterThan(20)
    // Electron forbids memory outside its cage, so the calls that would hand it out are not even linked.
    expect(wanted.filter((name) => /^napi_create_external_(arraybuffer|buffer)/.test(name))).toEqual([])
    expect(wanted.filter((name) => /^_ZN?K?2v8|^uv_|^_ZN4node/.test(name))).toEqual([])
  })

  it('come from no C++ library and from no glibc newer than the 2.28 of Node 20', () => {
    expect(wanted.filter((name) => /GLIBCXX|CXXABI/.test(name))).toEqual([])
    const minor = (name: string) => Number(/@GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0)
    const newest = wanted.reduce((a, b) => (minor(b) > minor(a) ? b : a))
    console.log(`needs glibc 2.${minor(newest)}, for ${newest}`)
    expect(wanted.filter((name) => minor(name) > 28)).toEqual([])
  })

  it('shown to the process are the two that Node looks for', () => {
    expect(nm('--defined-only').sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
  })
})

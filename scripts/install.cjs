// npm's install step. A prebuilt addon that fits is used as it is; a git checkout builds its own; anything else is
// left alone, and lib/native.ts explains what to do when the addon is first needed.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { spawnSync } = require('node:child_process')

const root = join(__dirname, '..')
const wanted = existsSync(join(root, '.git')) || process.env.npm_config_build_from_source
if (wanted) {
  for (const [tool, remedy] of [
    ['cmake', 'install CMake 3.18 or newer (Debian: apt-get install cmake)'],
    ['c++', 'install a C++20 compiler (Debian: apt-get install g++)'],
  ]) {
    if (spawnSync(tool, ['--version']).error) {
      console.error(
        `kvasir: cannot build the native addon, ${tool} was not found: ${remedy}, then run npm install again`,
      )
      process.exit(1)
    }
  }
  const script = join(__dirname, 'cmake-gyp.cjs')
  const build = spawnSync(process.execPath, [script, 'rebuild', '--release'], { stdio: 'inherit', cwd: root })
  process.exit(build.status ?? 1)
}

// The systems that a prebuilt addon can be made for, and how CMake is called for each: with the compilers of this machine,
// or with zig, which brings the headers and libraries of every system in one package (PyPI ziglang, fetched into our cache
// on demand and never by npm install).
const { execFileSync, spawnSync } = require('node:child_process')
const { chmodSync, existsSync, mkdirSync, writeFileSync } = require('node:fs')
const { availableParallelism, homedir } = require('node:os')
const { join } = require('node:path')

const root = join(__dirname, '..')
const ZIG = '0.15.2'
const zigHome = join(process.env.KVASIR_CACHE || join(homedir(), '.cache', 'kvasir'), 'tools', `zig-${ZIG}`)

/** `file` in prebuilds/ is what node-gyp-build looks for. `needs`: what must be installed; `zig`: a triple of zig's. */
const TARGETS = [
  { name: 'linux-x64', file: 'linux-x64/kvasir.glibc.node', host: 'linux x64', needs: ['c++'] },
  {
    name: 'linux-arm64',
    file: 'linux-arm64/kvasir.glibc.node',
    needs: ['aarch64-linux-gnu-g++'],
    system: ['Linux', 'aarch64', 'aarch64-linux-gnu-g++'],
  },
  { name: 'linux-x64-musl', file: 'linux-x64/kvasir.musl.node', zig: 'x86_64-linux-musl', system: ['Linux', 'x86_64'] },
  {
    name: 'linux-arm64-musl',
    file: 'linux-arm64/kvasir.musl.node',
    zig: 'aarch64-linux-musl',
    system: ['Linux', 'aarch64'],
  },
  { name: 'darwin-arm64', file: 'darwin-arm64/kvasir.node', zig: 'aarch64-macos.13.0', system: ['Darwin', 'arm64'] },
  { name: 'darwin-x64', file: 'darwin-x64/kvasir.node', zig: 'x86_64-macos.13.0', system: ['Darwin', 'x86_64'] },
  { name: 'win32-x64', file: 'win32-x64/kvasir.node', zig: 'x86_64-windows-gnu', system: ['Windows', 'AMD64'] },
  { name: 'win32-arm64', file: 'win32-arm64/kvasir.node', zig: 'aarch64-windows-gnu', system: ['Windows', 'ARM64'] },
]

const targetOf = (name) => TARGETS.find((target) => target.name === name)
const has = (tool) => !spawnSync(tool, ['--version'], { stdio: 'ignore' }).error

/** Folder with the programs of zig, fetched when it is not there. */
function zigFolder() {
  const folder = join(zigHome, 'ziglang')
  if (!existsSync(join(folder, 'zig'))) {
    const flags = ['--quiet', '--target', zigHome, '--no-deps', '--disable-pip-version-check']
    execFileSync('python3', ['-m', 'pip', 'install', ...flags, `ziglang==${ZIG}`], { stdio: 'inherit' })
  }
  return folder
}

/** A compiler as one program, which is what CMake and ccache expect. */
function zigCompiler(triple) {
  const folder = join(zigHome, triple)
  const path = join(folder, 'c++')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, `#!/bin/sh\nexec "${join(zigFolder(), 'zig')}" c++ -target ${triple} "$@"\n`)
  chmodSync(path, 0o755)
  return path
}

/** Why this machine cannot build for a target, or undefined. */
function obstacle(target) {
  if (target.host && target.host !== `${process.platform} ${process.arch}`) return `needs a machine of ${target.host}`
  const missing = ['cmake', ...(target.needs ?? []), ...(target.zig ? ['python3'] : [])].filter((tool) => !has(tool))
  return missing.length > 0 ? `${missing.join(' and ')} not found` : undefined
}

/** Builds CMake targets for a system; returns the build folder, in which build/Release has the addon. */
function build(target, ...parts) {
  const folder = join(root, 'build', target.name)
  const options = ['-DCMAKE_BUILD_TYPE=Release', `-DKVASIR_OUTPUT=${folder}`, '-DCMAKE_SHARED_LINKER_FLAGS=-s']
  if (target.system) {
    const [system, processor, compiler = zigCompiler(target.zig)] = target.system
    options.push(
      `-DCMAKE_SYSTEM_NAME=${system}`,
      `-DCMAKE_SYSTEM_PROCESSOR=${processor}`,
      `-DCMAKE_CXX_COMPILER=${compiler}`,
    )
  }
  const cmake = (...args) => {
    const { status, stdout, stderr } = spawnSync('cmake', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
    if (status !== 0) throw new Error(`cmake ${args.join(' ')}\n${stdout}${stderr}`)
    return `${stdout}${stderr}`
  }
  cmake('-S', root, '-B', folder, ...options)
  const output = cmake('--build', folder, '--target', ...parts, '--parallel', String(availableParallelism()))
  const warnings = output.split('\n').filter((line) => line.includes('warning:'))
  return { folder, warnings }
}

module.exports = { TARGETS, build, has, obstacle, root, targetOf, zigFolder }

#!/usr/bin/env node
// Looks like node-gyp to prebuildify and node-gyp, and drives cmake-js: so CMakeLists.txt stays the only build
// description. Understands `rebuild [--arch=A] [--debug|--release]`; other flags of node-gyp mean nothing to CMake.
const { spawnSync } = require('node:child_process')
const { availableParallelism } = require('node:os')

const flags = process.argv.slice(2)
const arch = flags.find((flag) => flag.startsWith('--arch='))?.slice('--arch='.length) ?? process.arch
const args = ['compile', '--arch', arch, '--out', 'build', '--parallel', String(availableParallelism())]
if (flags.includes('--debug')) args.push('--debug')

const cmakeJs = require.resolve('cmake-js/bin/cmake-js')
const result = spawnSync(process.execPath, [cmakeJs, ...args], { stdio: 'inherit' })
process.exit(result.status ?? 1)

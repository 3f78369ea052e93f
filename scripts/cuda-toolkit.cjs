// NVIDIA's compiler and disassembler from pinned Python packages, in build/cuda-toolkit: no GPU and no installation needed.
const { execFileSync } = require('node:child_process')
const { existsSync, readFileSync, readdirSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const folder = join(__dirname, '../build/cuda-toolkit')
// All by version: nvcc's own package leaves the others open, and mixed versions do not work together. The disassemblers
// exist from 13.2 on and read what 13.0 makes.
const packages = [
  'nvidia-cuda-nvcc==13.0.88',
  'nvidia-nvvm==13.0.88',
  'nvidia-cuda-crt==13.0.88',
  'nvidia-cuda-runtime==13.0.96',
  'nvidia-cuda-cccl==13.0.85',
  'nvidia-cuda-cuobjdump==13.2.51',
  'nvidia-cuda-nvdisasm==13.2.51',
]

function install() {
  const stamp = join(folder, 'installed')
  const wanted = `${packages.join('\n')}\n`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' })
  execFileSync(join(folder, 'bin/pip'), ['install', '--quiet', '--no-deps', ...packages], { stdio: 'inherit' })
  writeFileSync(stamp, wanted)
}

function bin() {
  const lib = join(folder, 'lib')
  const python = readdirSync(lib).find((name) => name.startsWith('python'))
  return join(lib, python, 'site-packages/nvidia/cu13/bin')
}

/** Runs a program of the toolkit; what it prints, with its complaints. */
function run(program, args) {
  const command = [join(bin(), program), ...args].map((word) => `'${word}'`).join(' ')
  const env = { ...process.env, PATH: `${bin()}:${process.env.PATH}` }
  return execFileSync('sh', ['-c', `${command} 2>&1`], { encoding: 'utf8', env, maxBuffer: 1 << 28 })
}

module.exports = { install, run }

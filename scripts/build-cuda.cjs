// Compiles native/cuda/*.cu into build/cuda/*.fatbin and fails where a kernel spills or exceeds its register budget.
// Needs no GPU and no CUDA installation: the compiler comes from pinned Python packages into build/cuda-toolkit.
const { execFileSync } = require('node:child_process')
const { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const out = join(root, 'build/cuda')
const toolkit = join(root, 'build/cuda-toolkit')
// All by version: nvcc's own package leaves the others open, and mixed versions do not work together.
const packages = [
  'nvidia-cuda-nvcc==13.0.88',
  'nvidia-nvvm==13.0.88',
  'nvidia-cuda-crt==13.0.88',
  'nvidia-cuda-runtime==13.0.96',
  'nvidia-cuda-cccl==13.0.85',
]
// Machine code for the cards that people have, from Ampere to Blackwell, and PTX for those to come.
const targets = [80, 86, 89, 90, 120]
const sizeBudget = 16 << 20 // bytes of all fatbins
// Three blocks of 128 threads on a multiprocessor of 65536 registers, which are given out by eights; two for the tiles that
// keep 64 sums and more in a thread's registers.
const registerBudget = (kernel) => (/_wide$|_prefill_128$/.test(kernel) ? 232 : 168)

function installToolkit() {
  const stamp = join(toolkit, 'installed')
  if (existsSync(stamp)) return
  execFileSync('python3', ['-m', 'venv', toolkit], { stdio: 'inherit' })
  execFileSync(join(toolkit, 'bin/pip'), ['install', '--quiet', '--no-deps', ...packages], { stdio: 'inherit' })
  writeFileSync(stamp, `${packages.join('\n')}\n`)
}

function findNvcc() {
  const lib = join(toolkit, 'lib')
  const python = readdirSync(lib).find((name) => name.startsWith('python'))
  return join(lib, python, 'site-packages/nvidia/cu13/bin/nvcc')
}

// A row of the table for each kernel and target, from what ptxas says.
function* kernels(log) {
  for (const part of log.split('Compiling entry function ').slice(1)) {
    const [, kernel, target] = part.match(/^'(\w+)' for '(\w+)'/)
    const [, stores, loads] = part.match(/(\d+) bytes spill stores, (\d+) bytes spill loads/)
    yield { kernel, target, registers: Number(part.match(/Used (\d+) registers/)[1]), spills: +stores + +loads }
  }
}

installToolkit()
mkdirSync(out, { recursive: true })
const rows = []
const sources = readdirSync(join(root, 'native/cuda')).filter((file) => file.endsWith('.cu'))
for (const source of sources) {
  const fatbin = join(out, source.replace(/\.cu$/, '.fatbin'))
  const architectures = targets.map((target) => `-gencode=arch=compute_${target},code=sm_${target}`)
  architectures.push('-gencode=arch=compute_80,code=compute_80')
  // Without contraction, as on every other device: a fused multiply-add is written where it is meant.
  const flags = [
    '-std=c++20',
    '-O3',
    '-fmad=false',
    '--expt-relaxed-constexpr',
    `-I${root}`,
    '-fatbin',
    '-Xptxas',
    '-v',
    ...architectures,
  ]
  const command = `"${findNvcc()}" ${flags.join(' ')} "${join(root, 'native/cuda', source)}" -o "${fatbin}" 2>&1`
  const log = execFileSync('sh', ['-c', command], { encoding: 'utf8' })
  for (const row of kernels(log)) rows.push({ ...row, 'fatbin bytes': statSync(fatbin).size })
}
console.table(rows)
const expected = targets.length * sources.length
if (rows.length < expected) throw new Error(`ptxas reported ${rows.length} kernels, expected at least ${expected}`)
const bytes = sources.reduce((sum, file) => sum + statSync(join(out, file.replace(/\.cu$/, '.fatbin'))).size, 0)
console.log(`${sources.length} fatbins of ${(bytes / 2 ** 20).toFixed(1)} MB, at most ${sizeBudget / 2 ** 20}`)
if (bytes > sizeBudget) throw new Error('the fatbins exceed their budget')
const bad = rows.filter((row) => row.spills > 0 || row.registers > registerBudget(row.kernel))
if (bad.length > 0) {
  console.error(`Over the budget of registers, or with spills: ${bad.map((row) => row.kernel).join(', ')}`)
  process.exit(1)
}

// Compiles native/cuda/*.cu, and hopper/*.cu for compute capability 9.0 alone, into build/cuda/*.fatbin, disassembles them, prints a table, and fails where a gate of
// cuda-gates.cjs does.
const { mkdirSync, readdirSync, rmSync, statSync } = require('node:fs')
const { join } = require('node:path')
const toolkit = require('./cuda-toolkit.cjs')
const gates = require('./cuda-gates.cjs')

const root = join(__dirname, '..')
const out = join(root, 'build/cuda')
// Machine code for the cards that people have, from Ampere to Blackwell, and PTX for those to come.
const targets = [80, 86, 89, 90, 120]
const sizeBudget = 16 << 20 // bytes of all fatbins

// Without contraction, as on every other device: a fused multiply-add is written where it is meant.
const flags = ['-std=c++20', '-O3', '-fmad=false', '--expt-relaxed-constexpr', `-I${root}`, '-fatbin', '-Xptxas', '-v']

const filesOf = (folder, architectures, suffix) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.cu'))
    .map((file) => ({
      source: join(root, folder, file),
      fatbin: join(out, file.replace(/\.cu$/, suffix)),
      architectures: architectures.map(([from, to]) => `-gencode=arch=compute_${from},code=${to}`),
    }))
const files = [
  ...filesOf('native/cuda', [...targets.map((t) => [t, `sm_${t}`]), [80, 'compute_80']], '.fatbin'),
  ...filesOf('native/cuda/hopper', [['90a', 'sm_90a']], '.sm_90a.fatbin'),
]

toolkit.install()
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const rows = []
const faults = []
for (const { source, fatbin, architectures } of files) {
  const log = toolkit.run('nvcc', [...flags, ...architectures, source, '-o', fatbin])
  const code = gates.ofMachineCode(toolkit.run('cuobjdump', ['-sass', fatbin]))
  const found = [...gates.ofAssembler(log)].map((row) => ({ ...row, code: code.get(`${row.kernel} ${row.target}`) }))
  if (found.length < Math.max(1, architectures.length - 1))
    faults.push(`${source}: ptxas reports ${found.length} kernels`)
  for (const [, kernel] of log.matchAll(/Potential Performance Loss: .* in the function '(\w+)'/g))
    if (!kernel.startsWith('conformance')) faults.push(`${kernel}: wgmma instructions are serialized`)
  rows.push(...found)
}
console.table(gates.table(rows))
const sizes = files.map(({ fatbin }) => statSync(fatbin).size)
const bytes = sizes.reduce((sum, size) => sum + size, 0)
console.table(Object.fromEntries(files.map(({ fatbin }, i) => [fatbin.slice(out.length + 1), { bytes: sizes[i] }])))
console.log(`${files.length} fatbins of ${(bytes / 2 ** 20).toFixed(1)} MB, at most ${sizeBudget / 2 ** 20}`)
if (bytes > sizeBudget) faults.push('the fatbins exceed their budget')
faults.push(...rows.flatMap(gates.faultsOf))
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0

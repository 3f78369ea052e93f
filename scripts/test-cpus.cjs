// npm run test:cpus [-- --quick]: the kernels on processors that this machine is not, by qemu's user mode. Each model must
// choose the instruction sets that it has and no other, end no program by an illegal instruction, and compute what this
// machine computes. Needs qemu-x86_64 (Debian: qemu-user).
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { build, has, root, targetOf } = require('./targets.cjs')
const { attempts } = require('./attempts.cjs')

const BASELINE = 'baseline'
const AVX2 = 'avx2 baseline'
// What qemu's translator supports of a model, the best set first. It knows no AVX-512.
const MODELS = {
  qemu64: BASELINE,
  Conroe: BASELINE,
  Nehalem: BASELINE,
  SandyBridge: BASELINE,
  IvyBridge: BASELINE,
  Opteron_G5: BASELINE,
  Haswell: AVX2,
  Broadwell: AVX2,
  'Skylake-Client': AVX2,
  'Skylake-Server': AVX2,
  'Icelake-Server': AVX2,
  EPYC: AVX2,
  'EPYC-Milan': AVX2,
  max: AVX2,
  'max,-xsave': BASELINE, // the system saves no vector registers
  'Haswell,-avx2': BASELINE,
  'Haswell,-fma': BASELINE,
  'Haswell,-f16c': BASELINE,
  'Haswell,-bmi2': BASELINE,
}
const QUICK = ['qemu64', 'SandyBridge', 'Haswell', 'max', 'max,-xsave']

/** Runs a program on a model; qemu's own warnings are only shown when it fails. */
function emulate(model, program, ...args) {
  const { status, signal, stdout, stderr } = spawnSync('qemu-x86_64', ['-cpu', model, program, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status === 0) return stdout.trim()
  const own = stderr.split('\n').filter((line) => !line.startsWith('qemu-x86_64: warning'))
  throw new Error(`${args.join(' ')} ended with ${signal ?? `status ${status}`}\n${stdout}${own.join('\n')}`)
}

/** The lines of sets_test for the sets that two machines share must be the same. */
function compare(mine, theirs) {
  const known = new Set(mine.split('\n'))
  const strange = theirs.split('\n').filter((line) => /[0-9a-f]{16}/.test(line) && !known.has(line))
  if (strange.length > 0) throw new Error(`computes otherwise than this machine:\n${strange.join('\n')}`)
}

function main() {
  if (process.arch !== 'x64' || !has('qemu-x86_64')) {
    console.error('test:cpus needs an x64 machine with qemu-x86_64 (Debian: apt-get install qemu-user)')
    process.exit(1)
  }
  const quick = process.argv.includes('--quick')
  const { folder } = build(targetOf('linux-x64'), 'sets_test', 'features_test', ...(quick ? [] : ['kvasir']))
  const [sets, features] = ['sets_test', 'features_test'].map((name) => join(folder, name))
  const mine = spawnSync(sets, { encoding: 'utf8' }).stdout
  const info = `process.dlopen(module, '${join(folder, 'build/Release/kvasir.node')}'); console.log(module.exports.info().isa)`
  const { attempt, end } = attempts()
  attempt('features', () => {
    const { status, stdout } = spawnSync(features, { encoding: 'utf8' })
    if (status !== 0) throw new Error(stdout)
    return stdout.trim()
  })
  for (const [model, expected] of Object.entries(MODELS)) {
    if (quick && !QUICK.includes(model)) continue
    attempt(model, () => {
      const found = emulate(model, sets, '--list')
      if (found !== expected) throw new Error(`chooses ${found}, expected ${expected}`)
      compare(mine, emulate(model, sets))
      if (quick) return found
      const isa = emulate(model, process.execPath, '-e', info)
      if (isa !== expected.split(' ')[0]) throw new Error(`the addon chooses ${isa}`)
      return `${found}; the addon in Node: ${isa}`
    })
  }
  end()
}

main()

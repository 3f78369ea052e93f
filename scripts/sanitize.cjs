// npm run test:sanitize: hostile inputs, the kernels and a working model under AddressSanitizer and UBSan.
//
// Builds the addons with both into build/sanitize, loads the sanitizers' library before node, and runs the tests below
// with 10,000 mutations each. Fails when a test does, and when a sanitizer has reported anything in any process. Needs
// gcc on Linux. KVASIR_FUZZ=N for another number; arguments replace the list of tests.
const { execFileSync, spawn } = require('node:child_process')
const { mkdirSync, readFileSync, readdirSync, rmSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const build = join(root, 'build/sanitize')
const reports = join(build, 'reports')

const tests = [
  'test/weights/fuzz.test.ts',
  'test/tokenizer/hostile.test.ts',
  'test/native/program.test.ts',
  ...['attention', 'linear', 'rope', 'rowwise', 'sample'].map((op) => `test/kernels/${op}.test.ts`),
  'test/e2e/hostile-model.test.ts',
  'test/boundary/life.test.ts',
  'test/boundary/exit.test.ts',
]

function compile() {
  const cmake = (...args) => execFileSync('cmake', args, { cwd: root, stdio: 'inherit' })
  const options = ['-DCMAKE_BUILD_TYPE=Release', '-DKVASIR_SANITIZE=ON', `-DKVASIR_OUTPUT=${build}`]
  cmake('-S', root, '-B', build, ...options)
  cmake('--build', build, '--target', 'kvasir', 'kvasir_kernels', '-j2')
}

function environment() {
  const log = `log_path=${join(reports, 'report')}`
  return {
    ...process.env,
    KVASIR_FUZZ: process.env.KVASIR_FUZZ ?? '10000',
    KVASIR_PREBUILD: build,
    LD_PRELOAD: execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim(),
    // Node itself leaves memory to the end of the process; leaks are found by watching it grow (test/e2e/soak).
    ASAN_OPTIONS: `detect_leaks=0:strict_init_order=1:detect_stack_use_after_return=1:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
  }
}

/** Runs vitest; resolves with its exit status and with the reports that came with its output. */
function test(files) {
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...files]
  const child = spawn(process.execPath, args, { cwd: root, env: environment(), stdio: ['inherit', 'pipe', 'pipe'] })
  let output = ''
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ])
    from.on('data', (bytes) => {
      to.write(bytes)
      output += bytes
    })
  return new Promise((resolve) =>
    child.on('close', (status) =>
      resolve([status, output.match(/.*(runtime error:|ERROR: AddressSanitizer).*/g) ?? []]),
    ),
  )
}

async function main() {
  compile()
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports, { recursive: true })
  const [status, printed] = await test(process.argv.length > 2 ? process.argv.slice(2) : tests)
  const logged = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'))
  for (const report of logged) console.error(report)
  console.log(`sanitizers: ${printed.length + logged.length} reports`)
  process.exitCode = status === 0 && printed.length + logged.length === 0 ? 0 : 1
}

main()

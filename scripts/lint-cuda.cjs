// What the CUDA kernels ask of a card, in the emulator: instructions of tensor cores and bytes of the main operand against
// what they cannot do without, and bank conflicts. Shapes of test/simt.
const { execFileSync } = require('node:child_process')
const { join } = require('node:path')

const root = join(__dirname, '..')
const build = join(root, 'build/test-simt')
execFileSync('cmake', ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], { stdio: 'pipe' })
execFileSync('cmake', ['--build', build, '--target', 'simt_check', '-j2'], { stdio: 'pipe' })
const lines = execFileSync(join(build, 'simt_check'), ['lint'], { encoding: 'utf8' }).trim().split('\n')
console.table(
  lines.map((line) => {
    const { name, kernels, mma, floor, buffers, bankConflicts } = JSON.parse(line)
    const read = buffers[floor.operand][0]
    return {
      case: name,
      kernels: kernels.join(', '),
      mma,
      'mma / floor': floor.mma ? mma / floor.mma : 1,
      bytes: read,
      'bytes / floor': Number((read / floor.bytes).toFixed(2)),
      'bank conflicts': bankConflicts,
    }
  }),
)

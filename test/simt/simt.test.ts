// CUDA kernels in the emulator of native/simt: what it must find in kernels with planted bugs, and that our kernels give the
// reference's values with nothing to find, in several orders of their threads.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const root = join(__dirname, '../..')
const build = join(root, 'build/test-simt')
const seeds = [0, 1, 2, 3]
const full = process.env.KVASIR_TEST === 'full'

interface Result {
  name: string
  different: number
  error: number
  kernels: string[]
  findings: Record<string, string>
  mma: number
  bankConflicts: number
  floor: { mma: number; bytes: number; operand: string }
  /** Bytes of the sectors read and written, by buffer. */
  buffers: Record<string, [number, number]>
  globalSectors: number
  globalRead: number
  globalWritten: number
}

const run = (program: string, ...args: string[]): Result[] =>
  execFileSync(join(build, program), args, { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

// Ops whose results must have the processor's bits, and those that sum in another order: `tensor` has those that round to 16
// bits for tensor cores, whose bits must not depend on how a step is put together.
const suites = ['rowwise', 'linear', 'attention', 'tensor', 'sample']
const bounds: Record<string, number> = { tensor: 5e-4, sample: 1e-6 }

beforeAll(() => {
  execFileSync('cmake', ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], { stdio: 'pipe' })
  execFileSync('cmake', ['--build', build, '--target', 'simt_fast', 'simt_check', '-j2'], { stdio: 'pipe' })
})

describe('emulator', () => {
  it.each(seeds)('finds every planted bug and nothing else: seed %i', (seed) => {
    const results = run('simt_check', 'planted', `${seed}`)
    expect(results.filter(({ name }) => !name.startsWith('none: ')).length).toBeGreaterThanOrEqual(67)
    for (const { name, findings } of results) {
      const expected = name.split(': ')[0] ?? ''
      if (expected === 'none') expect(findings, name).toEqual({})
      else
        expect(
          Object.keys(findings).some((kind) => expected.split('|').includes(kind)),
          `${name}, found ${JSON.stringify(findings)}`,
        ).toBe(true)
    }
  })

  it.each(seeds)('computes each instruction as its definition: seed %i', (seed) => {
    const lanes = [...Array(32).keys()]
    const input = (i: number) => ((7 * i) % 31) - 15
    const vote = (first: number) =>
      lanes.slice(first, first + 16).reduce((bits, lane) => bits + (input(lane) > 0 ? 2 ** lane : 0), 0)
    // Written as a float by the kernel, so that the upper half is exact: 16 bits at most are set.
    const product = [...Array(128).keys()].map((at) =>
      [...Array(16).keys()].reduce((sum, k) => sum + input((at >> 3) * 16 + k) * input(256 + (at & 7) * 16 + k), 0),
    )
    const found = new Map<string, number[]>()
    const lines = execFileSync(join(build, 'simt_check'), ['instructions', `${seed}`], { encoding: 'utf8' })
    for (const line of lines.trim().split('\n')) {
      const { name, clean, values } = JSON.parse(line)
      expect(clean, name).toBe(true)
      found.set(name, values)
    }
    const of = (name: string) => found.get(name)?.slice(0, 32)
    expect(of('shuffle up')).toEqual(lanes.map((lane) => input(lane < 3 ? lane : lane - 3)))
    expect(of('shuffle down')).toEqual(lanes.map((lane) => input(lane > 28 ? lane : lane + 3)))
    expect(of('shuffle index')).toEqual(lanes.map((lane) => input(31 - lane)))
    expect(of('ballot')).toEqual(lanes.map((lane) => (lane < 16 ? vote(0) : vote(16))))
    expect(of('compare and swap')?.sort((a, b) => a - b)).toEqual(lanes)
    expect(found.get('mma f16')).toEqual(product)
  })

  it('counts bank conflicts and sectors', () => {
    const counts = run('simt_check', 'probes').map((r) => [r.name, r.bankConflicts, r.globalSectors])
    // Two warps. A store to shared memory reads one sector a warp first; a global probe writes four.
    expect(counts).toEqual([
      ['shared, stride 1', 0, 2],
      ['shared, stride 2', 2, 2],
      ['shared, stride 32', 62, 2],
      ['shared, stride 33', 0, 2],
      ['global, stride 1', 0, 16],
      ['global, stride 8', 0, 72],
    ])
  })
})

describe('kernels', () => {
  it.each(suites)('%s: the same bits as on the processor', (suite) => {
    for (const seed of full ? seeds : [1])
      for (const { name, different, error } of run('simt_fast', suite, `${seed}`)) {
        expect(different, name).toBe(0)
        expect(error, name).toBeLessThanOrEqual(bounds[suite] ?? 0)
      }
  })

  it.each(suites)('%s: no race, stray or early access in any order of threads', (suite) => {
    for (const seed of full ? seeds : seeds.slice(1))
      for (const { name, findings, different } of run(
        'simt_check',
        suite,
        `${seed}`,
        full && seed === 2 ? 'all' : 'few',
      )) {
        expect(findings, name).toEqual({})
        expect(different, name).toBe(0)
      }
  })

  it('ask for the instructions and the bytes that they must, without a bank conflict', () => {
    const results = run('simt_check', 'lint')
    expect(results.length).toBeGreaterThan(40)
    for (const { name, floor, mma, buffers, bankConflicts, different, findings } of results) {
      expect(bankConflicts, name).toBe(0)
      expect(different, name).toBe(0)
      expect(findings, name).toEqual({})
      expect(mma, name).toBe(floor.mma)
      // K-quants read the scales of 256 values once for each 64; keys of 16 bits come in halves of a sector, from the cache.
      expect((buffers[floor.operand]?.[0] ?? 0) / floor.bytes, name).toBeLessThanOrEqual(
        / f16 /.test(name) && !/wgmma/.test(name) ? 1.5 : 1.09,
      )
    }
  })

  it('all of them are run', () => {
    const kernels = execFileSync(join(build, 'simt_fast'), ['kernels'], { encoding: 'utf8' }).trim().split('\n')
    expect(kernels.length).toBeGreaterThan(25)
    const launched = new Set(suites.flatMap((suite) => run('simt_fast', suite, '1').flatMap((r) => r.kernels)))
    expect(kernels.filter((kernel) => !launched.has(kernel))).toEqual([])
  })

  it('keep inline assembly in ptx.h and ptx_hopper.h', () => {
    const folder = join(root, 'native/cuda')
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(cu|h)$/.test(file))
    const files = sources.filter((file) => /\basm\b/.test(readFileSync(join(folder, file), 'utf8')))
    expect(files).toEqual(['ptx.h', 'ptx_hopper.h'])
  })
})

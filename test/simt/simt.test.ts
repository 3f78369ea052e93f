// CUDA kernels in the emulator of native/simt: what it must find in kernels with planted bugs, and that our kernels give the
// reference's values with nothing to find, in several orders of their threads.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const root = join(__dirname, '../..')
const build = join(root, 'build/test-simt')
const seeds = [0, 1, 2, 3]

interface Result {
  name: string
  error: number
  findings: Record<string, string>
  mma: number
  bankConflicts: number
  globalSectors: number
  globalRead: number
  globalWritten: number
}

const run = (program: string, ...args: string[]): Result[] =>
  execFileSync(join(build, program), args, { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

// bf16 keeps 8 bits: half a unit in the last place, relative to the largest value. Integer kernels are exact.
const bounds: Record<string, number> = {
  rms_norm_f32: 1e-6,
  rms_norm_bf16: 2 ** -8,
  swiglu_bf16: 2 ** -8,
  gemm_bf16: 1e-6,
  gemm_s8: 0,
  attention_prefill_64: 2 ** -8,
  attention_prefill_128: 2 ** -8,
}
const boundOf = (name: string): number => {
  const bound = bounds[name.split(' ')[0] ?? '']
  if (bound === undefined) throw new Error(`no bound for ${name}`)
  return bound
}

beforeAll(() => {
  execFileSync('cmake', ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], { stdio: 'pipe' })
  execFileSync('cmake', ['--build', build, '--target', 'simt_fast', 'simt_check', '-j2'], { stdio: 'pipe' })
})

describe('emulator', () => {
  it.each(seeds)('finds every planted bug and nothing else: seed %i', (seed) => {
    const results = run('simt_check', 'planted', `${seed}`)
    expect(results.length).toBeGreaterThanOrEqual(28)
    for (const { name, findings } of results) {
      const expected = name.split(': ')[0] ?? ''
      if (expected === 'none') expect(findings, name).toEqual({})
      else expect(Object.keys(findings), name).toContain(expected)
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
  it.each(seeds)('give the reference values: seed %i', (seed) => {
    const results = run('simt_fast', 'kernels', `${seed}`)
    expect(new Set(results.map((r) => r.name.split(' ')[0]))).toEqual(new Set(Object.keys(bounds)))
    for (const { name, error } of results) expect(error, name).toBeLessThanOrEqual(boundOf(name))
  })

  it.each(seeds)('have no race, stray or early access, nor bank conflict: seed %i', (seed) => {
    const results = run('simt_check', 'kernels', `${seed}`)
    expect(new Set(results.map((r) => r.name.split(' ')[0]))).toEqual(new Set(Object.keys(bounds)))
    for (const { name, error, findings, bankConflicts } of results) {
      expect(findings, name).toEqual({})
      expect(error, name).toBeLessThanOrEqual(boundOf(name))
      expect(bankConflicts, name).toBe(0)
    }
  })

  it('gemm_bf16 moves and multiplies what it must and no more', () => {
    const gemm = run('simt_check', 'kernels', '1').find((r) => r.name === 'gemm_bf16 64x64x96')
    expect(gemm?.globalRead).toBe(2 * 64 * 96 * 2)
    expect(gemm?.globalWritten).toBe(64 * 64 * 4)
    expect(gemm?.mma).toBe((64 * 64 * 96) / (16 * 8 * 16))
  })

  it('keep inline assembly in ptx.h', () => {
    const folder = join(root, 'native/cuda')
    const files = readdirSync(folder).filter((file) => /\basm\b/.test(readFileSync(join(folder, file), 'utf8')))
    expect(files).toEqual(['ptx.h'])
  })
})

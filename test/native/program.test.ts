// The native parser, verifier and interpreter under AddressSanitizer (program_fuzz.cc): what the compiler writes runs,
// REPEAT is what the unrolled tape is, and no damaged tape reaches memory that is not its own.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CompileOptions, compile } from '../../lib/compiler/compile.ts'
import { Dtype } from '../../lib/graph/dtype.ts'
import { buildGraph } from '../../lib/models/registry.ts'
import type { ModelConfig } from '../../lib/weights/config.ts'
import { formatsOf, limits, tiny } from '../models/tiny.ts'

const root = join(__dirname, '../..')
const build = join(root, 'build/test-native')
const full = process.env['KVASIR_TEST'] === 'full'
let folder: string

const fuzzer = (...args: string[]) =>
  execFileSync(join(build, 'program_fuzz'), args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 })

let files = 0
function tapeFile(changes: Partial<ModelConfig>, options: Partial<CompileOptions> = {}, output = 'generate' as const) {
  const { tape } = compile(buildGraph(tiny(changes), { output }), { formats: formatsOf(), limits, ...options })
  return save(tape)
}
function save(tape: Int32Array): string {
  const path = join(folder, `${files++}.tape`)
  writeFileSync(path, new Uint8Array(tape.buffer))
  return path
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvasir-tapes-'))
  const options = ['-DCMAKE_BUILD_TYPE=Release', '-DKVASIR_SANITIZE=ON']
  execFileSync('cmake', ['-S', root, '-B', build, ...options], { stdio: 'pipe' })
  execFileSync('cmake', ['--build', build, '--target', 'program_fuzz', '-j2'], { stdio: 'pipe' })
})
afterAll(() => rmSync(folder, { recursive: true }))

const variety: [string, Partial<ModelConfig>, CompileOptions['formats']][] = [
  ['llama', {}, formatsOf()],
  ['qwen2 in f16', { model_type: 'qwen2' }, () => Dtype.f16],
  ['qwen3, v_proj in f16', { model_type: 'qwen3' }, formatsOf([/v_proj/, Dtype.f16])],
  ['llama with heads of 16', { head_dim: 16, num_attention_heads: 6 }, formatsOf()],
]

describe('native program', () => {
  it.each(variety)('runs REPEAT as the unrolled tape: %s', (_, changes, formats) => {
    const trace = fuzzer('trace', tapeFile(changes, { formats }))
    expect(fuzzer('trace', tapeFile(changes, { formats, repeat: false }))).toBe(trace)
    expect(trace.match(/^attention .*/gm)).toHaveLength(3)
  })

  it('calls the kernels with the tensors of the graph', () => {
    const lines = fuzzer('trace', tapeFile({ num_hidden_layers: 1 })).split('\n')
    const T = limits.T
    // [arena offset, dtype, rows x columns], w: weight by index
    expect(lines[1]).toMatch(new RegExp(String.raw`^embed w1 \[\d+ 0 ${T}x64\]$`))
    expect(lines[3]).toMatch(new RegExp(String.raw`^linear \[\d+ 16 ${T}x64\] \[\d+ 0 ${T}x256\] 0$`))
    expect(lines.slice(4, 7)).toEqual(['  w3 none 0', '  w4 none 128', '  w5 none 192'])
    expect(lines.at(-2)).toMatch(new RegExp(String.raw`^sample \[\d+ 0 ${limits.L}x50\]$`))
  })

  it('refuses, with the reason, what the compiler would never write', () => {
    const { tape } = compile(buildGraph(tiny(), { output: 'generate' }), { formats: formatsOf(), limits })
    const broken = (change: (words: Int32Array) => void) => {
      const words = tape.slice()
      change(words)
      try {
        fuzzer('trace', save(words))
      } catch (error) {
        return String((error as { stderr: string }).stderr)
      }
      return 'accepted'
    }
    const [dims, buffers] = [tape[2]!, tape[3]!]
    const firstBuffer = 14 + 5 * dims
    const firstWeight = firstBuffer + 4 * buffers
    expect(broken(() => {})).toBe('accepted')
    expect(broken((w) => w.set([7], 1))).toContain('version 7')
    expect(broken((w) => w.set([w[6]! - 1], 6))).toContain('of an arena of')
    expect(broken((w) => w.set([1 << 20], 10))).toContain('of an arena of')
    expect(broken((w) => w.set([w[firstBuffer + 2]! + 2], firstBuffer + 2))).toContain('KV_NATIVE')
    // All buffers in one place: some value is overwritten before it is read.
    const onePlace = broken((w) => {
      for (let b = 0; b < buffers; b++) w[firstBuffer + 4 * b + 3] = 0
    })
    expect(onePlace).toMatch(/written over|is read, but/)
    expect(broken((w) => w.set([w[firstWeight + 5]! - 1], firstWeight + 5))).toContain('columns')
  })

  it('stays within its memory on damaged tapes', () => {
    const tapes = [
      ...variety.map(([, changes, formats]) => tapeFile({ ...changes, num_hidden_layers: 2 }, { formats })),
      save(
        compile(buildGraph(tiny({ num_hidden_layers: 2 }), { output: 'embed-mean' }), { formats: formatsOf(), limits })
          .tape,
      ),
    ]
    const count = full ? 200_000 : 20_000
    const { rejected, accepted, ran } = JSON.parse(fuzzer('fuzz', `${count}`, '1', ...tapes))
    expect(rejected + accepted).toBe(count)
    expect(ran).toBeGreaterThan(count / 100) // the verifier does not live by refusing everything
    expect(rejected).toBeGreaterThan(count / 2)
  })
})

// kvasir pull, inspect and quantize, as the command line calls them.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { inspectCommand } from '../../lib/cli/inspect.ts'
import { pullCommand } from '../../lib/cli/pull.ts'
import { quantizeCommand } from '../../lib/cli/quantize.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const tiny = join(folder, 'tiny')
let out = ''
let notes = ''

beforeEach(() => {
  out = ''
  notes = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    notes += text
    return true
  })
  writeTinyFolder(tiny)
})
afterEach(() => vi.restoreAllMocks())

describe('inspect', () => {
  test('tells what the real model is and needs', async () => {
    await inspectCommand([await testModel(), '--context', '2048', '--sequences', '4'])
    expect(out).toContain('llama, 30 layers, hidden 576, MLP 1536')
    expect(out).toContain('134,515,008')
    expect(out).toMatch(/q4_1 +210 tensors +66\.4 MB/)
    // 30 layers × 3 heads × (2·64 + 8) bytes × 8192 tokens
    expect(out).toContain(`${((30 * 3 * 136 * 8192) / 1e6).toFixed(1)} MB in 8 bits`)
  })

  test('--json is JSON with the same figures', async () => {
    await inspectCommand([tiny, '--json', '--context', '100'])
    const report = JSON.parse(out)
    expect(report).toMatchObject({ kind: 'safetensors', config: { model_type: 'llama' }, stopTokens: [299] })
    // Four pages of 32 tokens, 2 layers, 2 heads of 16.
    expect(report.memory.kv).toEqual({ kv8: 128 * 2 * 2 * 40, f16: 128 * 2 * 2 * 64 })
    expect(report.memory.arena).toBeGreaterThan(0)
  })

  test('--program shows graph and tape, --tensors every tensor', async () => {
    await inspectCommand([tiny, '--program'])
    expect(out).toMatch(/^graph\n/)
    expect(out).toContain('tape version')
    out = ''
    await inspectCommand([tiny, '--tensors'])
    expect(out).toContain('model.layers.1.mlp.down_proj.weight')
  })

  test.each([[[]], [['a', 'b']], [['--context', '0', '.']]])('%j is refused', async (args) => {
    await expect(inspectCommand(args as string[])).rejects.toMatchObject({
      code: expect.stringMatching(/KV_ARGUMENT|KV_NOT_FOUND/),
    })
  })
})

describe('quantize', () => {
  test('writes the file and tells its size', async () => {
    const path = join(folder, 'tiny.gguf')
    await quantizeCommand([tiny, path, '--format', 'Q8_0'])
    expect(out).toMatch(/tiny\.gguf: 0\.\d MB, from 0\.\d MB/)
    expect((await openCheckpoint(path)).tensors.get('lm_head.weight')?.dtype).toBe('q8_0')

    await expect(quantizeCommand([tiny, path, '-f', 'q4_0'])).rejects.toMatchObject({
      message: expect.stringContaining('--force'),
    })
    await expect(quantizeCommand([path, path, '-f', 'q4_0', '--force'])).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    await quantizeCommand([tiny, path, '-f', 'q4_k', '--force'])
    expect(notes).toContain('q4_k → q8_0')
  })

  test.each([
    [['in', 'out'], /--format is missing/],
    [['in', 'out', '--format', 'q3_k'], /q3_k/],
    [['in', '--format', 'q8_0'], /IN and OUT/],
  ])('%j is refused', async (args, message) => {
    await expect(quantizeCommand(args)).rejects.toMatchObject({
      code: 'KV_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })
})

describe('pull', () => {
  test('prints the path of what is there already', async () => {
    const path = join(folder, 'local.gguf')
    writeFileSync(path, '')
    await pullCommand([path])
    expect(out).toBe(`${path}\n`)
    expect(existsSync(path)).toBe(true)
  })

  test('lists what it knows when it is not told what to bring', async () => {
    await expect(pullCommand([])).rejects.toMatchObject({
      code: 'KV_ARGUMENT',
      message: expect.stringContaining('smollm2:135m'),
    })
    await pullCommand(['--help'])
    expect(out).toContain('smollm2:135m')
  })
})

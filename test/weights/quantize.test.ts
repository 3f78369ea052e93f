// Quantising a whole checkpoint: values stay near, names, order of rows and tokenizer are those of GGUF.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FORMATS, type WeightDtype } from '../../lib/weights/formats.ts'
import { readGguf } from '../../lib/weights/gguf.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { quantizeCheckpoint } from '../../lib/weights/quantize.ts'
import { readFloats } from '../../lib/weights/read-tensor.ts'
import { safetensors, type TinyOptions, writeTinyFolder } from '../support/checkpoint.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
let made = 0

async function quantized(format: WeightDtype, options: TinyOptions = {}) {
  const tiny = join(folder, `tiny-${made++}`)
  const tensors = writeTinyFolder(tiny, options)
  const path = join(folder, `tiny-${made}.gguf`)
  const notes: string[] = []
  const progress: number[] = []
  await quantizeCheckpoint(await openCheckpoint(tiny), path, format, {
    onNote: (note) => notes.push(note),
    onProgress: (done, total) => progress.push(done / total),
  })
  return { tensors, path, notes, progress, checkpoint: await openCheckpoint(path) }
}

const error = (got: Float32Array, expected: Float32Array) => {
  const power = expected.reduce((sum, value) => sum + value ** 2, 0)
  return Math.sqrt(got.reduce((sum, value, i) => sum + (value - expected[i]!) ** 2, 0) / power)
}

/** Rows of q and k in Hugging Face's order, from GGUF's: 2i and 2i + 1 of a head become i and i + d/2. */
function splitHalves(values: Float32Array, rowsOfHead: number, cols: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let row = 0; row < values.length / cols; row++) {
    const within = row % rowsOfHead
    const to = row - within + (within % 2) * (rowsOfHead / 2) + (within >> 1)
    result.set(values.subarray(row * cols, (row + 1) * cols), to * cols)
  }
  return result
}

describe('from safetensors', () => {
  const wide = { hidden_size: 256, intermediate_size: 512, num_attention_heads: 4, num_key_value_heads: 2 }
  test.each<[WeightDtype, number]>([
    ['f16', 0.0005],
    ['bf16', 0.004],
    ['q8_0', 0.006],
    ['q6_k', 0.02],
    ['q5_1', 0.04],
    ['q5_0', 0.045],
    ['q5_k', 0.04],
    ['q4_1', 0.08],
    ['q4_0', 0.09],
    ['q4_k', 0.08],
  ])('%s: every tensor is near what it was', async (format, limit) => {
    const { tensors, checkpoint, notes, progress } = await quantized(format, { config: wide, shards: 2 })
    expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort())
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      let got = (await readFloats(checkpoint, name))!
      if (/[qk]_proj/.test(name)) got = splitHalves(got, 64, shape.at(-1)!)
      const { dtype } = checkpoint.tensors.get(name)!
      if (shape.length === 1) {
        expect(dtype).toBe('f32')
        expect(got).toEqual(values)
      } else {
        const few = FORMATS[format].bytes / FORMATS[format].values < FORMATS.q6_k.bytes / FORMATS.q6_k.values
        expect(dtype).toBe(name === 'lm_head.weight' && few ? 'q6_k' : format)
        const e = error(got, values)
        if (!(e < limit)) expect.fail(`${name} is off by ${e}`)
      }
    }
    expect(notes.filter((note) => !note.includes('output.weight'))).toEqual([])
    expect(progress.at(-1)).toBe(1)
  })

  test('the model means the same: scores of rotated q and k', async () => {
    const { tensors, checkpoint } = await quantized('f16', { dtype: 'F16' })
    expect(checkpoint.config.rope_interleaved).toBe(true)
    const name = 'model.layers.1.self_attn.q_proj.weight'
    const { values, shape } = tensors[name]!
    const permuted = (await readFloats(checkpoint, name))!
    const x = Float32Array.from({ length: shape[1]! }, (_, i) => Math.sin(i))
    const times = (w: Float32Array) =>
      Array.from({ length: shape[0]! }, (_, row) => x.reduce((sum, v, i) => sum + v * w[row * x.length + i]!, 0))
    const rotate = (head: number[], interleaved: boolean) => {
      const half = head.length / 2
      return Array.from({ length: half }, (_, i) => {
        const [a, b] = interleaved ? [head[2 * i]!, head[2 * i + 1]!] : [head[i]!, head[i + half]!]
        const angle = 5 * 10_000 ** (-i / half)
        return [a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle)]
      }).flat()
    }
    for (let head = 0; head < 4; head++) {
      const part = (y: number[]) => y.slice(head * 16, head * 16 + 16)
      const [ours, theirs] = [rotate(part(times(permuted)), true), rotate(part(times(values)), false)]
      for (const [i, value] of ours.entries()) expect(value).toBeCloseTo(theirs[i]!, 6)
    }
  })

  test('qwen2 keeps its rows as they are, biases included', async () => {
    const { tensors, checkpoint } = await quantized('f16', { dtype: 'F16', config: { model_type: 'qwen2' } })
    expect(checkpoint.config).toMatchObject({ model_type: 'qwen2', rope_interleaved: false, attention_bias: true })
    for (const name of ['weight', 'bias'].map((kind) => `model.layers.0.self_attn.k_proj.${kind}`)) {
      expect(await readFloats(checkpoint, name)).toEqual(tensors[name]!.values)
    }
  })

  test('qwen3 keeps its head norms', async () => {
    const { tensors, checkpoint } = await quantized('q8_0', { config: { model_type: 'qwen3' } })
    const name = 'model.layers.1.self_attn.k_norm.weight'
    expect(await readFloats(checkpoint, name)).toEqual(tensors[name]!.values)
  })

  test('configuration, tokenizer and template come along', async () => {
    const { path, checkpoint } = await quantized('q8_0')
    const original = await openCheckpoint(join(folder, `tiny-${made - 1}`))
    expect({ ...checkpoint.config, rope_interleaved: false }).toEqual(original.config)
    expect(checkpoint.chatTemplate).toBe(original.chatTemplate)
    expect(checkpoint.stopTokens).toEqual([299])
    expect(checkpoint.tokenizer).toMatchObject({ model: 'gpt2', pre: 'smollm', bos: 298, eos: 299, addBos: true })
    expect(checkpoint.tokenizer.tokens?.count).toBe(300)
    expect(checkpoint.tokenizer.merges?.count).toBe(42)
    expect(checkpoint.tokenizer.types?.[299]).toBe(3)
    const { metadata } = await readGguf(path)
    expect(metadata.get('general.file_type')?.value).toBe(7)
    expect(metadata.has('tokenizer.ggml.unknown_token_id')).toBe(false)
  })

  test('rows that are not whole blocks fall back, with a note', async () => {
    // Rows of 64 and 96 values: no block of 256 fits, blocks of 32 do.
    const { checkpoint, notes } = await quantized('q4_k')
    expect(checkpoint.tensors.get('model.layers.0.mlp.down_proj.weight')?.dtype).toBe('q8_0')
    expect(notes.join()).toContain('q4_k → q8_0')
    const odd = await quantized('q8_0', { config: { intermediate_size: 100 } })
    expect(odd.checkpoint.tensors.get('model.layers.0.mlp.down_proj.weight')?.dtype).toBe('f16')
    expect(odd.notes.join()).toContain('q8_0 → f16')
  })

  test('a value that is not a number: KV_FORMAT, and no file', async () => {
    const tiny = join(folder, 'nan')
    const tensors = writeTinyFolder(tiny)
    tensors['model.layers.0.mlp.up_proj.weight']!.values[5] = NaN
    writeFileSync(join(tiny, 'model.safetensors'), safetensors(tensors))
    const path = join(folder, 'nan.gguf')
    const running = quantizeCheckpoint(await openCheckpoint(tiny), path, 'q8_0')
    await expect(running).rejects.toMatchObject({ name: 'KvasirError', code: 'KV_FORMAT' })
    expect(existsSync(path) || existsSync(`${path}.part`)).toBe(false)
  })

  test('Llama 3 scaling becomes divisors of the frequencies', async () => {
    const rope_scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    }
    const { checkpoint } = await quantized('f16', { config: { rope_scaling } })
    const divisors = (await readFloats(checkpoint, 'rope_freqs.weight'))!
    expect(divisors).toHaveLength(8)
    expect(divisors[0]).toBe(1) // a turn every 2π positions is shorter than 64 / 4
    expect(divisors[7]).toBe(8)
    for (let i = 1; i < 8; i++) expect(divisors[i]!).toBeGreaterThanOrEqual(divisors[i - 1]!)
  })
})

describe('from GGUF', () => {
  test('the same format is a copy, byte for byte', async () => {
    const { path, checkpoint } = await quantized('q4_0')
    const again = join(folder, 'again.gguf')
    await quantizeCheckpoint(checkpoint, again, 'q4_0')
    const [a, b] = [await readGguf(path), await readGguf(again)]
    expect(b.tensors).toEqual(a.tensors)
    for (const name of checkpoint.tensors.keys()) {
      expect(await readFloats(await openCheckpoint(again), name)).toEqual(await readFloats(checkpoint, name))
    }
  })

  test('smollm2:135m to q8_0 stays within rounding, and says that it was quantised before', async () => {
    const original = await openCheckpoint(await testModel())
    const path = join(folder, 'smollm2-q8_0.gguf')
    const notes: string[] = []
    await quantizeCheckpoint(original, path, 'q8_0', { onNote: (note) => notes.push(note) })
    const copy = await openCheckpoint(path)
    expect(copy.config).toEqual(original.config)
    expect(copy.chatTemplate).toBe(original.chatTemplate)
    expect(copy.tokenizer.types).toEqual(original.tokenizer.types)
    expect(notes.join()).toContain('210 tensors were quantised before')
    for (const name of ['model.embed_tokens.weight', 'model.layers.7.self_attn.k_proj.weight', 'model.norm.weight']) {
      expect(error((await readFloats(copy, name))!, (await readFloats(original, name))!)).toBeLessThan(0.007)
    }
  })

  test('a call that is stopped leaves no file', async () => {
    const original = await openCheckpoint(await testModel())
    const path = join(folder, 'stopped.gguf')
    const controller = new AbortController()
    const running = quantizeCheckpoint(original, path, 'q8_0', {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(running).rejects.toMatchObject({ code: 'KV_ABORTED' })
    for (const name of [path, `${path}.part`]) {
      await expect(openCheckpoint(name)).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    }
  })
})

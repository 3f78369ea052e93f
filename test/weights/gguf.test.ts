// GGUF: what the writer writes the reader reads, and damaged headers are refused with a reason.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GgufType, readGguf } from '../../lib/weights/gguf.ts'
import { ggufValue, rawString, u32le, u64le } from '../../lib/weights/gguf-values.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { GgufWriter } from '../../lib/weights/write-gguf.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const path = join(folder, 'model.gguf')

describe('round trip', () => {
  test('metadata, arrays and tensors come back where they were put', async () => {
    const tokens = Array.from({ length: 40_000 }, (_, i) => (i % 997 === 0 ? 'é'.repeat(300) : `token ${i}`))
    const metadata = new Map([
      ['general.name', ggufValue.string('ein Modell')],
      ['a.u32', ggufValue.u32(4_294_967_295)],
      ['a.f32', ggufValue.f32(1e-5)],
      ['a.bool', ggufValue.bool(true)],
      ['a.strings', ggufValue.strings(tokens)],
      ['a.i32s', ggufValue.i32s(Int32Array.of(1, -2, 3))],
      ['a.f32s', ggufValue.f32s(Float32Array.of(0.5, -0.25))],
    ])
    const writer = await GgufWriter.create(path, metadata, [
      { name: 'one', dtype: 'q4_1', shape: [3, 64] },
      { name: 'two', dtype: 'f32', shape: [5] },
    ])
    await writer.write(new Uint8Array(60).fill(1))
    await writer.write(new Uint8Array(60).fill(2))
    await writer.write(new Uint8Array(20).fill(3))
    await writer.finish()

    const header = await readGguf(path)
    expect(header).toMatchObject({ version: 3, alignment: 32 })
    const value = (key: string) => header.metadata.get(key)?.value
    expect([value('general.name'), value('a.u32'), value('a.bool')]).toEqual(['ein Modell', 4_294_967_295, true])
    expect(value('a.f32')).toBe(Math.fround(1e-5))
    expect(value('a.strings')).toMatchObject({ of: GgufType.string, count: tokens.length })
    expect(value('a.i32s')).toMatchObject({ of: GgufType.i32, count: 3, bytes: 12 })

    const file = readFileSync(path)
    const [one, two] = header.tensors
    expect([one, two]).toMatchObject([
      { name: 'one', dtype: 'q4_1', shape: [3, 64], bytes: 120 },
      { name: 'two', dtype: 'f32', shape: [5], bytes: 20 },
    ])
    expect([...file.subarray(one!.offset, one!.offset + 120)]).toEqual([...Array(60).fill(1), ...Array(60).fill(2)])
    expect([...file.subarray(two!.offset, two!.offset + 20)]).toEqual(Array(20).fill(3))

    // The array of strings is a place in the file; walk it as a tokenizer does.
    const { offset, count, bytes } = value('a.strings') as { offset: number; count: number; bytes: number }
    let at = offset
    for (let i = 0; i < count; i++) {
      const length = Number(file.readBigUInt64LE(at))
      if (file.toString('utf8', at + 8, at + 8 + length) !== tokens[i])
        expect.fail(`token ${i} is not where it was put`)
      at += 8 + length
    }
    expect(at).toBe(offset + bytes)
  })

  test('an unfinished file leaves nothing behind', async () => {
    const other = join(folder, 'other.gguf')
    const writer = await GgufWriter.create(other, new Map(), [{ name: 'one', dtype: 'f32', shape: [2] }])
    await writer.write(new Uint8Array(4))
    await expect(writer.write(new Uint8Array(8))).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    await expect(writer.finish()).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    for (const name of [other, `${other}.part`]) expect(() => readFileSync(name)).toThrow('ENOENT')
  })
})

describe('damage', () => {
  const tensor = (name: string, dims: number[], type: number, offset: number) =>
    Buffer.concat([rawString(name), u32le(dims.length), ...dims.map(u64le), u32le(type), u64le(offset)])
  const file = (parts: {
    magic?: string
    version?: number
    entries?: Buffer[]
    tensors?: Buffer[]
    data?: number
    counts?: [number, number]
  }) => {
    const { magic = 'GGUF', version = 3, entries = [], tensors = [], data = 64 } = parts
    const [t, e] = parts.counts ?? [tensors.length, entries.length]
    const head = Buffer.concat([Buffer.from(magic), u32le(version), u64le(t), u64le(e), ...entries, ...tensors])
    return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(data)])
  }
  const entry = (key: string, value: Uint8Array) => Buffer.concat([rawString(key), value])
  const array = (of: number, count: number) => Buffer.concat([u32le(9), u32le(of), u64le(count)])
  const huge = 2 ** 62

  const cases: [string, Buffer, string, RegExp][] = [
    ['an empty file', Buffer.alloc(0), 'KV_FORMAT', /ends at 0/],
    ['another magic', file({ magic: 'PK\x03\x04' }), 'KV_FORMAT', /no GGUF/],
    ['version 1', file({ version: 1 }), 'KV_UNSUPPORTED', /version 1/],
    ['big-endian', file({ version: 0x03000000 }), 'KV_UNSUPPORTED', /big-endian/],
    ['more entries than bytes', file({ counts: [0, huge] }), 'KV_FORMAT', /metadata/],
    ['more tensors than bytes', file({ counts: [huge, 0] }), 'KV_FORMAT', /tensor/],
    [
      'a key that is too long',
      file({ entries: [Buffer.concat([u64le(huge), Buffer.alloc(100)])] }),
      'KV_FORMAT',
      /bytes long/,
    ],
    ['an unknown value type', file({ entries: [entry('k', u32le(13))] }), 'KV_FORMAT', /value type 13/],
    ['an array of arrays', file({ entries: [entry('k', array(9, 1))] }), 'KV_UNSUPPORTED', /array of arrays/],
    ['more strings than bytes', file({ entries: [entry('k', array(8, huge))] }), 'KV_FORMAT', /needs/],
    ['more numbers than bytes', file({ entries: [entry('k', array(12, huge))] }), 'KV_FORMAT', /needs/],
    [
      'a string past the end',
      file({ entries: [entry('k', Buffer.concat([array(8, 2), u64le(0), u64le(2 ** 33)]))] }),
      'KV_FORMAT',
      /needs/,
    ],
    [
      'a key twice',
      file({ entries: [entry('k', ggufValue.u32(1)), entry('k', ggufValue.u32(1))] }),
      'KV_FORMAT',
      /twice/,
    ],
    ['alignment 48', file({ entries: [entry('general.alignment', ggufValue.u32(48))] }), 'KV_FORMAT', /power of two/],
    ['alignment 0', file({ entries: [entry('general.alignment', ggufValue.u32(0))] }), 'KV_FORMAT', /power of two/],
    ['no dimensions', file({ tensors: [tensor('t', [], 0, 0)] }), 'KV_FORMAT', /0 dimensions/],
    ['a dimension of zero', file({ tensors: [tensor('t', [0], 0, 0)] }), 'KV_FORMAT', /no sensible/],
    [
      'a product that overflows',
      file({ tensors: [tensor('t', [huge, huge, huge, huge], 0, 0)] }),
      'KV_FORMAT',
      /no sensible/,
    ],
    ['an unknown type', file({ tensors: [tensor('t', [4], 99, 0)] }), 'KV_FORMAT', /type 99/],
    ['a type that we do not read', file({ tensors: [tensor('t', [256], 16, 0)] }), 'KV_UNSUPPORTED', /iq2_xxs/],
    ['broken blocks', file({ tensors: [tensor('t', [48], 8, 0)] }), 'KV_FORMAT', /whole q8_0 blocks/],
    ['an offset off the alignment', file({ tensors: [tensor('t', [4], 0, 4)] }), 'KV_FORMAT', /alignment/],
    ['a tensor past the end', file({ tensors: [tensor('t', [17], 0, 0)] }), 'KV_FORMAT', /cut short/],
    ['an offset past the end', file({ tensors: [tensor('t', [1], 0, 2 ** 40)] }), 'KV_FORMAT', /cut short/],
    [
      'tensors that overlap',
      file({ tensors: [tensor('t', [16], 0, 0), tensor('u', [8], 0, 32)] }),
      'KV_FORMAT',
      /overlap/,
    ],
    ['a tensor twice', file({ tensors: [tensor('t', [8], 0, 0), tensor('t', [8], 0, 32)] }), 'KV_FORMAT', /twice/],
  ]
  test.each(cases)('%s', async (_, bytes, code, message) => {
    writeFileSync(path, bytes)
    await expect(readGguf(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test('a sound file of the same make is read', async () => {
    writeFileSync(path, file({ tensors: [tensor('t', [8], 0, 0), tensor('u', [8], 0, 32)] }))
    expect((await readGguf(path)).tensors).toHaveLength(2)
  })

  test('a file that is not there', async () => {
    await expect(openCheckpoint(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  })
})

describe('smollm2:135m', () => {
  test('opens with the configuration of its config.json', async () => {
    const checkpoint = await openCheckpoint(await testModel())
    expect(checkpoint.config).toEqual({
      model_type: 'llama',
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      head_dim: 64,
      vocab_size: 49152,
      rms_norm_eps: 1e-5,
      rope_theta: 100000,
      rope_scaling: null,
      max_position_embeddings: 8192,
      sliding_window: null,
      tie_word_embeddings: true,
      attention_bias: false,
      rope_interleaved: true,
    })
    expect(checkpoint.tokenizer).toMatchObject({ kind: 'gguf', model: 'gpt2', pre: 'smollm', bos: 1, eos: 2 })
    expect(checkpoint.tokenizer.tokens?.count).toBe(49152)
    expect(checkpoint.stopTokens).toEqual([2])
    expect(checkpoint.warnings).toEqual([])
    expect(checkpoint.chatTemplate).toContain('<|im_start|>')
    expect(checkpoint.tensors.size).toBe(272)
    expect(checkpoint.tensors.get('model.layers.29.mlp.down_proj.weight')).toMatchObject({
      dtype: 'q4_1',
      shape: [576, 1536],
    })
    expect([...checkpoint.tensors.keys()].every((name) => name.startsWith('model.'))).toBe(true)
  })
})

test('a file that names no pre-tokenizer is doubtful', async () => {
  const bytes = readFileSync(join(__dirname, '../fixtures/gguf/llama.gguf'))
  const key = 'tokenizer.ggml.pre'
  bytes.write('tokenizer.ggml.prx', bytes.indexOf(key), 'latin1')
  const path = join(folder, 'nameless.gguf')
  writeFileSync(path, bytes)
  expect((await openCheckpoint(path)).warnings).toEqual([expect.stringMatching(/names no pre-tokenizer/)])
})

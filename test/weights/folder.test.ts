// Hugging Face folders: one file or shards, configurations of the four architectures, and what is refused.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { tensorOf } from '../../lib/weights/checkpoint.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { readFloats } from '../../lib/weights/read-tensor.ts'
import { safetensorsFile, type TinyOptions, tinyConfig, writeTinyFolder } from '../support/checkpoint.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = join(temporaryFolder(), 'tiny')
beforeEach(() => rmSync(folder, { recursive: true, force: true }))

describe('reads', () => {
  test.each<[string, TinyOptions]>([
    ['one file of F32', {}],
    ['one file of F16', { dtype: 'F16' }],
    ['one file of BF16', { dtype: 'BF16' }],
    ['three shards', { shards: 3, dtype: 'BF16' }],
  ])('%s: every value is where it was put', async (_, options) => {
    const tensors = writeTinyFolder(folder, options)
    const checkpoint = await openCheckpoint(folder)
    expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort())
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      expect(tensorOf(checkpoint, name, ...shape).dtype).toBe((options.dtype ?? 'F32').toLowerCase())
      expect(await readFloats(checkpoint, name)).toEqual(values)
    }
  })

  test('a shard stands for its folder, and a lone file for itself', async () => {
    writeTinyFolder(folder, { shards: 2 })
    const byShard = await openCheckpoint(join(folder, 'model-00001-of-00002.safetensors'))
    expect(byShard.tensors.size).toBe((await openCheckpoint(folder)).tensors.size)
    writeTinyFolder(join(folder, 'lone'))
    const lone = await openCheckpoint(join(folder, 'lone', 'model.safetensors'))
    expect(lone).toMatchObject({ kind: 'safetensors', name: 'lone' })
  })

  test('configuration, tokenizer and template', async () => {
    writeTinyFolder(folder)
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [299, 7] }))
    const checkpoint = await openCheckpoint(folder)
    expect(checkpoint.config).toMatchObject({ head_dim: 16, rope_interleaved: false, tie_word_embeddings: false })
    expect(checkpoint.tokenizer).toMatchObject({ kind: 'json', bos: 298, eos: 299, addBos: true })
    expect(checkpoint.stopTokens).toEqual([299, 7])
    expect(checkpoint.chatTemplate).toBe('{{ messages[0].content }}')
    writeFileSync(join(folder, 'chat_template.jinja'), 'from its own file')
    expect((await openCheckpoint(folder)).chatTemplate).toBe('from its own file')
  })

  test.each([
    ['qwen2', {}, { attention_bias: true, sliding_window: null }],
    ['qwen2', { use_sliding_window: true, sliding_window: 64 }, { sliding_window: 64 }],
    ['qwen3', {}, { attention_bias: false }],
    ['mistral', { sliding_window: 128 }, { sliding_window: 128 }],
    ['llama', { rope_scaling: { type: 'linear', factor: 2 } }, { rope_scaling: { rope_type: 'linear', factor: 2 } }],
    [
      'llama',
      { rope_theta: null, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
      { rope_theta: 5e5, rope_scaling: null },
    ],
    ['llama', { tie_word_embeddings: true }, { tie_word_embeddings: true }],
  ])('%s with %j', async (model_type, fields, expected) => {
    writeTinyFolder(folder, { config: { model_type, ...fields } })
    expect((await openCheckpoint(folder)).config).toMatchObject({ model_type, ...expected })
  })
})

describe('refuses', () => {
  test.each([
    [{ model_type: 'gpt2' }, 'KV_UNSUPPORTED', /gpt2/],
    [{ quantization_config: { quant_method: 'awq' } }, 'KV_UNSUPPORTED', /quantization_config/],
    [{ hidden_act: 'gelu' }, 'KV_UNSUPPORTED', /hidden_act/],
    [{ mlp_bias: true }, 'KV_UNSUPPORTED', /mlp_bias/],
    [{ rope_scaling: { rope_type: 'mrope' } }, 'KV_UNSUPPORTED', /mrope/],
    [{ rope_scaling: { rope_type: 'linear' } }, 'KV_FORMAT', /factor/],
    [{ num_attention_heads: '4' }, 'KV_FORMAT', /num_attention_heads/],
    [{ num_key_value_heads: 3 }, 'KV_FORMAT', /share/],
    [{ num_hidden_layers: 0 }, 'KV_FORMAT', /num_hidden_layers/],
    [{ rms_norm_eps: -1 }, 'KV_FORMAT', /rms_norm_eps/],
    [{ head_dim: 15 }, 'KV_FORMAT', /head_dim/],
  ])('config.json with %j', async (fields, code, message) => {
    writeTinyFolder(folder)
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...tinyConfig, ...fields }))
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test.each(['config.json', 'tokenizer.json'])('a folder without %s', async (name) => {
    writeTinyFolder(folder)
    rmSync(join(folder, name))
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'KV_NOT_FOUND',
      message: expect.stringContaining(name),
    })
  })

  test('an index that leads out of the folder, or to what is not there', async () => {
    writeTinyFolder(folder, { shards: 2 })
    const path = join(folder, 'model.safetensors.index.json')
    const index = JSON.parse(readFileSync(path, 'utf8'))
    for (const shard of ['../model.safetensors', '/etc/passwd', 7]) {
      writeFileSync(path, JSON.stringify({ weight_map: { ...index.weight_map, 'lm_head.weight': shard } }))
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'KV_FORMAT' })
    }
    index.weight_map['model.extra'] = 'model-00001-of-00002.safetensors'
    writeFileSync(path, JSON.stringify(index))
    await expect(openCheckpoint(folder)).rejects.toMatchObject({
      code: 'KV_FORMAT',
      message: expect.stringContaining('model.extra'),
    })
  })

  test('weights that no kernel could read where they lie', async () => {
    writeTinyFolder(folder)
    const path = join(folder, 'model.safetensors')
    const bytes = readFileSync(path)
    const length = Number(bytes.readBigUInt64LE())
    const shifted = Buffer.concat([bytes.subarray(0, 8 + length), Buffer.from(' '), bytes.subarray(8 + length)])
    shifted.writeBigUInt64LE(BigInt(length + 1))
    writeFileSync(path, shifted)
    const checkpoint = await openCheckpoint(folder)
    expect(() => tensorOf(checkpoint, 'model.norm.weight', 64)).toThrow(/not a multiple of 4/)
  })

  const tensor = (fields: object) => ({ t: { dtype: 'F32', shape: [4], data_offsets: [0, 16], ...fields } })
  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'KV_FORMAT'],
    ['a header longer than the file', Buffer.alloc(8, 255), 'KV_FORMAT'],
    [
      'a header that is no JSON',
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{{')]),
      'KV_FORMAT',
    ],
    ['a header that is a list', safetensorsFile([], Buffer.alloc(0)), 'KV_FORMAT'],
    ['another dtype', safetensorsFile(tensor({ dtype: 'I64' }), Buffer.alloc(16)), 'KV_UNSUPPORTED'],
    ['a tensor that is null', safetensorsFile({ t: null }, Buffer.alloc(16)), 'KV_UNSUPPORTED'],
    ['a negative size', safetensorsFile(tensor({ shape: [-4] }), Buffer.alloc(16)), 'KV_FORMAT'],
    ['a shape that does not fit', safetensorsFile(tensor({ shape: [5] }), Buffer.alloc(16)), 'KV_FORMAT'],
    ['offsets the wrong way round', safetensorsFile(tensor({ data_offsets: [16, 0] }), Buffer.alloc(16)), 'KV_FORMAT'],
    ['a tensor past the end', safetensorsFile(tensor({}), Buffer.alloc(15)), 'KV_FORMAT'],
    [
      'tensors that overlap',
      safetensorsFile({ ...tensor({}), u: tensor({ data_offsets: [8, 24] }).t }, Buffer.alloc(24)),
      'KV_FORMAT',
    ],
  ])('%s', async (_, bytes, code) => {
    writeTinyFolder(folder)
    writeFileSync(join(folder, 'model.safetensors'), bytes)
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code })
  })
})

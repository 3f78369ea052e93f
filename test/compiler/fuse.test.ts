import { describe, expect, it } from 'vitest'
import type { Instruction } from '../../lib/compiler/instructions.ts'
import { Dtype } from '../../lib/graph/dtype.ts'
import { Graph, type Tensor } from '../../lib/graph/graph.ts'
import { add, embed, linear, mul, pool, rmsNorm, rows, sample, silu } from '../../lib/graph/ops.ts'
import { formatsOf } from '../models/tiny.ts'
import { fused, fusedModel, operandsOf, valuesOf } from './passes.ts'

const ops = (code: Instruction[]) => code.map(({ op }) => op).join(' ')
const LAYER = 'rms_norm linear rope_kv attention linear rms_norm gated_linear linear'
const integers = (instruction: Instruction, ...names: string[]) =>
  names.map((name) => {
    const operand = operandsOf(instruction)[name]
    return operand?.kind === 'int' ? operand.number : undefined
  })
const linears = (code: Instruction[]) => code.filter(({ op }) => op === 'linear')
const dtypes = (code: Instruction[]) => new Set(code.flatMap((i) => valuesOf(i).map(({ value }) => value.dtype)))

describe('fuse', () => {
  it('makes eight instructions of a quantised layer', () => {
    const layers = Array(3).fill(LAYER).join(' ')
    expect(ops(fusedModel())).toBe(`rope_table embed ${layers} rms_norm linear sample`)
  })

  it('puts q, k, v side by side, and adds the others to the residual stream', () => {
    const shapes = linears(fusedModel()).map((i) => integers(i, 'column', 'accumulate', 'segments'))
    const layer = [
      [0, 0, 3],
      [0, 1, 1],
      [0, 1, 1],
    ]
    expect(shapes).toEqual([...layer, ...layer, ...layer, [0, 0, 1]])
  })

  it('keeps one residual stream, in f32, from the embedding to the last norm', () => {
    const code = fusedModel()
    const h = operandsOf(code[1]!)['y']
    const streams = code.filter((i) => integers(i, 'accumulate')[0] === 1 || i.op === 'rms_norm')
    for (const instruction of streams) {
      const { x, y } = operandsOf(instruction)
      expect(instruction.op === 'linear' ? y : x).toMatchObject({ value: (h as { value: unknown }).value })
    }
    expect(streams).toHaveLength(3 * 4 + 1)
  })

  it('norms only the rows that are sampled from, or every row for an embedding', () => {
    const last = (code: Instruction[]) => code.filter(({ op }) => op === 'rms_norm').at(-1)!
    expect(integers(last(fusedModel()), 'gather')).toEqual([1])
    const embedding = fusedModel({}, formatsOf(), 'embed-mean')
    expect(integers(last(embedding), 'gather')).toEqual([0])
    expect(ops(embedding)).toMatch(/linear rms_norm pool$/)
  })

  it('leaves activations in f32 for float weights', () => {
    const code = fusedModel({}, () => Dtype.f16)
    expect([...dtypes(code)]).toEqual([Dtype.f32])
    expect(ops(code)).not.toContain('quantize')
  })

  it('quantises in the producer, and apart only where a head is no whole number of groups', () => {
    expect(ops(fusedModel())).not.toContain('quantize')
    const odd = fusedModel({ head_dim: 16, num_attention_heads: 6 })
    expect(
      ops(odd)
        .split(' ')
        .filter((op) => op === 'quantize'),
    ).toHaveLength(3)
    expect(ops(odd)).toContain('attention quantize linear')
  })

  it('splits q, k, v where their precisions differ, into columns of the same buffer', () => {
    const code = fusedModel({ num_hidden_layers: 1 }, formatsOf([/v_proj/, Dtype.f16]))
    const [qk, v] = linears(code)
    expect(integers(qk!, 'column', 'segments')).toEqual([0, 2])
    expect(integers(v!, 'column', 'segments')).toEqual([128 + 64, 1])
    expect(operandsOf(v!)['y']).toEqual(operandsOf(qk!)['y'])
    // Both precisions of one tensor are wanted: it is written in f32 and quantised once.
    expect(ops(code)).toContain('rms_norm quantize linear linear rope_kv')
  })

  it('binds biases and the norms of heads', () => {
    const weightOf = (i: Instruction, name: string) => {
      const operand = operandsOf(i)[name]
      return operand?.kind === 'weight' && operand.index >= 0
    }
    const [qkv, o] = linears(fusedModel({ model_type: 'qwen2' }))
    expect(['bias0', 'bias1', 'bias2'].map((name) => weightOf(qkv!, name))).toEqual([true, true, true])
    expect(weightOf(o!, 'bias0')).toBe(false)
    const ropeKv = (model_type: string) => fusedModel({ model_type }).find(({ op }) => op === 'rope_kv')!
    expect(['q_norm', 'k_norm'].map((name) => weightOf(ropeKv('qwen3'), name))).toEqual([true, true])
    expect(['q_norm', 'k_norm'].map((name) => weightOf(ropeKv('llama'), name))).toEqual([false, false])
  })

  /** embed → what `write` makes of h → pool. */
  const around = (write: (g: Graph, h: Tensor) => Tensor) => {
    const g = new Graph()
    const h = embed(g, g.weight('table', 10, 32))
    pool(write(g, h), 'last')
    return fused(g, formatsOf())
  }

  it('adds in place where the other operand is no linear layer', () => {
    const code = around((g, h) => add(rmsNorm(h, g.weight('norm', 32), 1e-5), h))
    expect(ops(code)).toBe('embed rms_norm add pool')
    expect(operandsOf(code[2]!)['y']).toMatchObject({ kind: 'update' })
  })

  it('does not add into a stream that is read once more', () => {
    const code = around((g, h) => add(add(h, linear(h, g.weight('w', 32, 32))), rmsNorm(h, g.weight('norm', 32), 1)))
    // h is read again by the norm, so the first sum goes into the output of the linear layer.
    expect(ops(code)).toBe('embed quantize linear add rms_norm add pool')
    const [linearCode, addCode] = [code[2]!, code[3]!]
    expect(integers(linearCode, 'accumulate')).toEqual([0])
    expect(operandsOf(addCode)['y']).toMatchObject({ value: (operandsOf(linearCode)['y'] as { value: unknown }).value })
  })

  it('says what has no kernel', () => {
    const unsupported = expect.objectContaining({ code: 'KV_UNSUPPORTED' })
    expect(() => around((_, h) => silu(h))).toThrow(unsupported)
    expect(() => around((_, h) => mul(h, h))).toThrow(unsupported)
    expect(() => around((_, h) => add(h, h))).toThrow(unsupported)
    expect(() => around((g, h) => rmsNorm(h, g.weight('norm', 16), 1e-5))).toThrow(unsupported)
    const g = new Graph()
    const table = g.weight('table', 10, 32)
    sample(linear(rows(embed(g, table)), table))
    expect(() => fused(g, formatsOf())).toThrow(unsupported)
  })

  it('refuses quantised weights whose rows are no whole number of activation groups', () => {
    expect(() => fusedModel({ hidden_size: 48 })).toThrow(
      expect.objectContaining({ code: 'KV_UNSUPPORTED', message: expect.stringContaining('48 columns') }),
    )
  })
})

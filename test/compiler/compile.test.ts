import { describe, expect, it } from 'vitest'
import { type CompileOptions, compile, unroll } from '../../lib/compiler/compile.ts'
import type { Instruction } from '../../lib/compiler/instructions.ts'
import { placeValues } from '../../lib/compiler/memory.ts'
import { roll } from '../../lib/compiler/roll.ts'
import { activationStride, Dtype } from '../../lib/graph/dtype.ts'
import { Graph } from '../../lib/graph/graph.ts'
import { add, embed, linear, pool, rmsNorm } from '../../lib/graph/ops.ts'
import { evaluate } from '../../lib/graph/shape.ts'
import type { Output } from '../../lib/models/parts.ts'
import { buildGraph } from '../../lib/models/registry.ts'
import type { ModelConfig } from '../../lib/weights/config.ts'
import { formatsOf, limits, tiny } from '../models/tiny.ts'
import { expand, fused, fusedModel, valuesOf } from './passes.ts'

const compiled = (
  changes: Partial<ModelConfig> = {},
  options: Partial<CompileOptions> = {},
  output: Output = 'generate',
) => compile(buildGraph(tiny(changes), { output }), { formats: formatsOf(), limits, ...options })

/** An instruction without the names of its values. */
const numbers = ({ op, operands }: Instruction) => [op, operands.map((o) => ('value' in o ? o.kind : o))]

const variety: [string, Partial<ModelConfig>, CompileOptions['formats']][] = [
  ['llama in q8_0', {}, formatsOf()],
  ['llama in f16', {}, () => Dtype.f16],
  ['qwen2 with heads of 16', { model_type: 'qwen2', head_dim: 16, num_attention_heads: 6 }, formatsOf()],
  ['qwen3, v_proj in f16', { model_type: 'qwen3' }, formatsOf([/v_proj/, Dtype.f16])],
  ['mistral, 7 layers', { model_type: 'mistral', num_hidden_layers: 7, sliding_window: 8 }, formatsOf()],
  ['llama with one odd layer', { num_hidden_layers: 7 }, formatsOf([/layers\.3.*down_proj/, Dtype.f16])],
]

describe('compile', () => {
  it('is a tape of 15 instructions for a llama of any depth', () => {
    for (const num_hidden_layers of [2, 30]) {
      const items = roll(fusedModel({ num_hidden_layers }))
      expect(items.map(({ op }) => op).join(' ')).toBe('rope_table embed repeat rms_norm linear sample')
      expect(items[2]).toMatchObject({ count: num_hidden_layers, body: { length: 8 } })
    }
  })

  it.each(variety)('REPEAT runs what the unrolled tape runs: %s', (_, changes, formats) => {
    const rolled = compiled(changes, { formats })
    const unrolled = compiled(changes, { formats, repeat: false })
    expect(rolled.tape.length).toBeLessThan(unrolled.tape.length)
    const code = expand(rolled.tape)
    expect(code).toEqual(expand(unrolled.tape))
    // Unrolling and fusing agree: the same instructions as before roll(), with the same weights and layers.
    const before = fusedModel(changes, formats)
    const numbers = ({ op, operands }: (typeof before)[number]) => [
      op,
      operands.map((o) => ('value' in o ? o.kind : o)),
    ]
    expect(unroll(roll(before)).map(numbers)).toEqual(before.map(numbers))
    expect(code).toHaveLength(before.length)
  })

  it('rolls layers of mixed formats, and unrolls where act8 and f32 differ', () => {
    const repeats = (formats: CompileOptions['formats']) =>
      roll(fusedModel({ num_hidden_layers: 7 }, formats)).flatMap((item) => (item.op === 'repeat' ? [item.count] : []))
    expect(repeats(formatsOf([/layers\.[135].*(v|down)_proj/, Dtype.q6_k]))).toEqual([7])
    expect(repeats(formatsOf([/layers\.3.*down_proj/, Dtype.f16]))).toEqual([3, 3])
  })

  it.each(['abca', 'abcad', 'aab', 'abab', 'abbabba'])('keeps each layer its weights, in the order %s', (order) => {
    const g = new Graph()
    let h = embed(g, g.weight('table', 10, 32))
    for (const name of order)
      h = add(h, linear(rmsNorm(h, g.weight(`${name}.norm`, 32), 1e-5), g.weight(`${name}.w`, 32, 32)))
    pool(h, 'last')
    const code = fused(g, formatsOf())
    expect(unroll(roll(code)).map(numbers)).toEqual(code.map(numbers))
  })

  it.each(variety)('no value is overwritten while it is needed: %s', (_, changes, formats) => {
    for (const output of ['generate', 'embed-last'] as const) {
      const items = roll(fusedModel(changes, formats, output))
      const { buffers, bytes } = placeValues(items, limits)
      const place = new Map(buffers.map((buffer) => [buffer.value.id, buffer]))
      const owner = new Int32Array(bytes / 64).fill(-1) // the value that each cache line holds
      for (const instruction of unroll(items)) {
        const touched = valuesOf(instruction)
        for (const { kind, value } of touched) {
          const { offset, bytes } = place.get(value.id)!
          const lines = owner.subarray(offset / 64, (offset + bytes) / 64)
          if (kind === 'write') lines.fill(value.id)
        }
        // After the writes, so that an output over an input of the same instruction is found as well.
        for (const { value } of touched) {
          const { offset, bytes } = place.get(value.id)!
          expect(bytes).toBe(evaluate(value.rows, limits) * activationStride(value.dtype, value.cols))
          expect(owner.subarray(offset / 64, (offset + bytes) / 64).every((id) => id === value.id)).toBe(true)
        }
      }
    }
  })

  it('packs the arena to within a tenth of what lives at one time', () => {
    for (const [, changes, formats] of variety) {
      const { buffers, bytes } = placeValues(roll(fusedModel(changes, formats)), limits)
      const last = Math.max(...buffers.map((b) => b.last))
      const peakOf = (some: typeof buffers) =>
        Math.max(
          ...Array.from({ length: last + 1 }, (_, at) =>
            some.filter((b) => b.first <= at && at <= b.last).reduce((sum, b) => sum + b.bytes, 0),
          ),
        )
      const peak = peakOf(buffers)
      // Room that one instruction may use stands behind what others make resident.
      const rooms = buffers.filter((b) => b.first === b.last).reduce((sum, b) => sum + b.bytes, 0)
      const lasting = peakOf(buffers.filter((b) => b.first < b.last))
      expect(bytes - rooms).toBeLessThanOrEqual(1.1 * lasting)
      expect(bytes).toBeGreaterThanOrEqual(peak)
    }
  })

  it('lists the weights with what is needed of them', () => {
    const { weights } = compiled({ num_hidden_layers: 2, tie_word_embeddings: false }, { formats: formatsOf() })
    const need = Object.fromEntries(weights.map((w) => [w.name, w.need]))
    expect(weights[0]).toMatchObject({ name: 'rope.inv_freq', rows: 1, cols: 16, need: 'f32' })
    expect(weights[0]!.data).toHaveLength(16)
    expect(need['model.embed_tokens.weight']).toBe('any')
    expect(need['lm_head.weight']).toBe('quantised')
    expect(need['model.layers.1.mlp.down_proj.weight']).toBe('quantised')
    expect(need['model.norm.weight']).toBe('f32')
    expect(new Set(weights.map(({ name }) => name)).size).toBe(weights.length)
    const floats = compiled({}, { formats: () => Dtype.bf16 }).weights
    expect(floats.find(({ name }) => name === 'model.embed_tokens.weight')!.need).toBe('floats')
  })

  it('programs of one model share a list of weights', () => {
    const generate = compiled({ tie_word_embeddings: false })
    const embed = compiled({ tie_word_embeddings: false }, { weights: generate.weights }, 'embed-mean')
    expect(embed.weights).toEqual(generate.weights)
    // The other way round the list grows at its end.
    const first = compiled({ tie_word_embeddings: false }, {}, 'embed-mean')
    const second = compiled({ tie_word_embeddings: false }, { weights: first.weights })
    expect(second.weights.slice(0, first.weights.length)).toEqual(first.weights)
    expect(second.weights.at(-1)!.name).toBe('lm_head.weight')
  })

  it('refuses heads that no kernel takes', () => {
    for (const head_dim of [288, 31])
      expect(() => compiled({ head_dim }, { formats: () => Dtype.f16 })).toThrow(
        expect.objectContaining({ code: 'KV_UNSUPPORTED', message: expect.stringContaining(`${head_dim}`) }),
      )
  })

  it('dumps graph and tape as a person reads them', () => {
    const dump = compiled().dump()
    expect(dump).toContain('%2 [T, 128] = linear(%1, model.layers.0.self_attn.q_proj.weight)')
    expect(dump).toMatch(/^ {2}repeat 3\n {4}rms_norm x=%\d w=model\.layers\.0\.input_layernorm\.weight \+ 9·i/m)
    expect(dump).toMatch(/^ {4}attention qkv=%\d heads=4 scale=0\.1767767 window=0 layer=0 \+ 1·i y=%\d$/m)
    expect(dump).toContain('T ≤ 48, S ≤ 4, L ≤ 6, B ≤ 64')
  })
})

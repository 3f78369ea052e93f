// The graph of each architecture: weights by the names of the checkpoint, and what sets it apart from Llama.
import { describe, expect, it } from 'vitest'
import type { Graph } from '../../lib/graph/graph.ts'
import { verify } from '../../lib/graph/verify.ts'
import { buildGraph } from '../../lib/models/registry.ts'
import { MODEL_TYPES, type ModelConfig } from '../../lib/weights/config.ts'
import { tiny } from './tiny.ts'

const graphOf = (changes: Partial<ModelConfig>) => buildGraph(tiny(changes), { output: 'generate' })
const shapes = (graph: Graph) =>
  Object.fromEntries([...graph.weights.values()].filter((w) => !w.data).map((w) => [w.name, [w.rows, w.cols]]))

const layer = (n: number) => ({
  [`model.layers.${n}.input_layernorm.weight`]: [1, 64],
  [`model.layers.${n}.self_attn.q_proj.weight`]: [128, 64],
  [`model.layers.${n}.self_attn.k_proj.weight`]: [64, 64],
  [`model.layers.${n}.self_attn.v_proj.weight`]: [64, 64],
  [`model.layers.${n}.self_attn.o_proj.weight`]: [64, 128],
  [`model.layers.${n}.post_attention_layernorm.weight`]: [1, 64],
  [`model.layers.${n}.mlp.gate_proj.weight`]: [96, 64],
  [`model.layers.${n}.mlp.up_proj.weight`]: [96, 64],
  [`model.layers.${n}.mlp.down_proj.weight`]: [64, 96],
})
const llamaShapes = {
  'model.embed_tokens.weight': [50, 64],
  ...layer(0),
  ...layer(1),
  ...layer(2),
  'model.norm.weight': [1, 64],
}

describe('models', () => {
  it('llama asks for exactly the weights of a Llama checkpoint', () => {
    expect(shapes(graphOf({}))).toEqual(llamaShapes)
    expect(shapes(graphOf({ tie_word_embeddings: false }))).toEqual({ ...llamaShapes, 'lm_head.weight': [50, 64] })
  })

  it('llama takes the biases that attention_bias promises', () => {
    const biases = Object.keys(shapes(graphOf({ attention_bias: true }))).filter((name) => /layers\.1.*bias/.test(name))
    expect(biases.map((name) => name.split('.')[4])).toEqual(['q_proj', 'k_proj', 'v_proj', 'o_proj'])
  })

  it('mistral gives every layer its window', () => {
    const windows = (changes: Partial<ModelConfig>) =>
      graphOf(changes).nodes.flatMap((node) => (node.op === 'pagedAttention' ? [node.shape.window] : []))
    expect(windows({ model_type: 'mistral', sliding_window: 24 })).toEqual([24, 24, 24])
    expect(windows({ model_type: 'mistral' })).toEqual([0, 0, 0])
  })

  it.each(['qwen2', 'qwen3'])('%s refuses a window, which it would slide in some layers only', (model_type) => {
    expect(() => graphOf({ model_type, sliding_window: 24 })).toThrow(
      expect.objectContaining({ code: 'KV_UNSUPPORTED' }),
    )
  })

  it('qwen2 has biases on q, k and v alone', () => {
    const graph = graphOf({ model_type: 'qwen2' })
    const found = shapes(graph)
    const biases = Object.keys(found).filter((name) => name.includes('layers.2') && name.endsWith('bias'))
    expect(Object.fromEntries(biases.map((name) => [name.split('.')[4], found[name]]))).toEqual({
      q_proj: [1, 128],
      k_proj: [1, 64],
      v_proj: [1, 64],
    })
  })

  it('qwen3 norms the heads of q and k', () => {
    expect(shapes(graphOf({ model_type: 'qwen3' }))).toEqual({
      ...llamaShapes,
      ...Object.fromEntries(
        [0, 1, 2].flatMap((n) =>
          ['q_norm', 'k_norm'].map((norm) => [`model.layers.${n}.self_attn.${norm}.weight`, [1, 32]]),
        ),
      ),
    })
  })

  it.each(MODEL_TYPES)('%s is a sound graph for each output', (model_type) => {
    for (const output of ['generate', 'embed-mean', 'embed-last'] as const) {
      const graph = buildGraph(tiny({ model_type }), { output })
      expect(() => verify(graph)).not.toThrow()
      expect(graph.nodes.at(-1)).toMatchObject(
        output === 'generate' ? { op: 'sample' } : { op: 'pool', mean: output === 'embed-mean' },
      )
    }
  })

  it('an unknown model_type is refused with the list of known ones', () => {
    expect(() => graphOf({ model_type: 'gpt2' })).toThrow(
      expect.objectContaining({ code: 'KV_UNSUPPORTED', message: expect.stringMatching(/gpt2.*llama.*qwen3/) }),
    )
  })
})

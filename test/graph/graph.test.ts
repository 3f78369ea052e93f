import { describe, expect, it } from 'vitest'
import { Graph, type Node, type Tensor } from '../../lib/graph/graph.ts'
import { add, embed, linear, mul, rmsNorm, rope, rows, sample, silu } from '../../lib/graph/ops.ts'
import { print } from '../../lib/graph/print.ts'
import { dim, evaluate, sameDim, showDim } from '../../lib/graph/shape.ts'
import { verify } from '../../lib/graph/verify.ts'

/** A sound graph, and the tensors to break it with. */
function small() {
  const g = new Graph()
  const table = g.weight('table', 10, 8)
  const h = embed(g, table)
  const y = linear(h, g.scope('layer').weight('w', 8, 8))
  const logits = linear(rows(add(h, y)), table)
  sample(logits)
  return { g, h, y, logits }
}

describe('Graph', () => {
  it('writes weight names by scope', () => {
    const g = new Graph()
    expect(g.scope('model').scope('layers.0').weight('w', 2, 3).name).toBe('model.layers.0.w')
  })

  it('gives the same weight to whoever asks for it, and only in one shape', () => {
    const g = new Graph()
    expect(g.weight('w', 2, 3)).toBe(g.weight('w', 2, 3))
    expect(() => g.weight('w', 3, 2)).toThrow('2 × 3')
  })

  it('prints a line for each node', () => {
    const { g } = small()
    expect(print(g).split('\n')).toEqual([
      '%0 [T, 8] = embed(table)',
      '%1 [T, 8] = linear(%0, layer.w)',
      '%2 [T, 8] = add(%0, %1)',
      '%3 [L, 8] = rows(%2)',
      '%4 [L, 10] = linear(%3, table)',
      'sample(%4)',
    ])
  })
})

describe('verify', () => {
  it('accepts a sound graph', () => {
    expect(() => verify(small().g)).not.toThrow()
  })

  it('refuses a graph without a result', () => {
    const g = new Graph()
    embed(g, g.weight('table', 10, 8))
    expect(() => verify(g)).toThrow('nothing is sampled')
  })

  it('refuses a tensor that is read before it is written, or written twice', () => {
    const { g, h } = small()
    expect(() => {
      silu(g.tensor('T', 8))
      verify(g)
    }).toThrow('nothing has written')
    const twice = small()
    twice.g.push({ op: 'silu', x: twice.h, out: twice.y } as Omit<Node, 'scope'> as Node)
    expect(() => verify(twice.g)).toThrow(`writes tensor ${twice.y.id} again`)
    expect(h.id).toBe(0)
  })

  const breakages: [string, (g: Graph, t: { h: Tensor; y: Tensor; logits: Tensor }) => void][] = [
    ['linear over another width', (g, { h }) => linear(h, g.weight('v', 8, 9))],
    ['a bias of another length', (g, { h }) => linear(h, g.weight('v', 8, 8), g.weight('b', 7))],
    ['a norm that does not divide the row', (g, { h }) => rmsNorm(h, g.weight('n', 3), 1e-5)],
    ['add of other rows', (_, { h, logits }) => add(h, logits)],
    ['mul of other rows', (_, { h, logits }) => mul(h, logits)],
    ['rows of chosen rows', (_, { logits }) => rows(logits)],
    ['sampling from every token', (_, { h }) => sample(h)],
    [
      'rotating more than a head',
      (g, { h }) => {
        const invFreq = g.constant('f', new Float32Array(4))
        rope(h, { invFreq, scale: 1, headDim: 4, interleaved: false })
      },
    ],
  ]
  it.each(breakages)('refuses %s', (_, damage) => {
    const { g, ...tensors } = small()
    damage(g, tensors)
    expect(() => verify(g)).toThrow(/^graph: /)
  })
})

describe('Dim', () => {
  it('is affine over the symbols of a step', () => {
    const d = { ...dim('T'), L: 2, constant: 3 }
    expect(evaluate(d, { T: 10, S: 100, L: 5, B: 1000 })).toBe(23)
    expect(showDim(d)).toBe('T + 2·L + 3')
    expect(sameDim(d, dim('T'))).toBe(false)
  })
})

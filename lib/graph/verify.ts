// Checks a graph: every tensor is written once, before it is read; shapes fit; something leaves it. Throws an Error,
// not a KvasirError: a broken graph is a mistake in a model file, not in what a user gave us.
import { type Graph, inputsOf, type Node, outputOf, type Tensor } from './graph.ts'
import { dim, sameDim, showDim } from './shape.ts'

export function verify(graph: Graph): void {
  const written = new Set<number>()
  let results = 0

  for (const node of graph.nodes) {
    const fail = (why: string): never => {
      throw new Error(`graph: ${node.op} in "${node.scope}": ${why}`)
    }
    for (const tensor of inputsOf(node)) {
      if (!written.has(tensor.id)) fail(`reads tensor ${tensor.id}, which nothing has written yet`)
    }
    const out = outputOf(node)
    if (out && written.has(out.id)) fail(`writes tensor ${out.id} again`)
    const problem = shapeProblem(node)
    if (problem) fail(problem)
    if (out) written.add(out.id)
    else results++
  }
  if (results === 0) throw new Error('graph: nothing is sampled and nothing pooled')
}

const show = (t: Tensor) => `[${showDim(t.rows)}, ${t.cols}]`
const same = (a: Tensor, b: Tensor) => sameDim(a.rows, b.rows) && a.cols === b.cols
const wrongSize = (what: string, found: number, expected: number) =>
  found === expected ? null : `${what} is ${found}, expected ${expected}`

function shapeProblem(node: Node): string | null {
  switch (node.op) {
    case 'embed':
      return sameDim(node.out.rows, dim('T')) ? wrongSize('width', node.out.cols, node.table.cols) : 'one row a token'
    case 'linear':
      return (
        wrongSize('weight.cols', node.weight.cols, node.x.cols) ??
        wrongSize('out.cols', node.out.cols, node.weight.rows) ??
        (node.bias && wrongSize('bias', node.bias.rows * node.bias.cols, node.weight.rows)) ??
        (sameDim(node.x.rows, node.out.rows) ? null : 'rows of x and out differ')
      )
    case 'rmsNorm':
      if (node.weight.rows !== 1 || node.x.cols % node.weight.cols !== 0)
        return `a norm of ${node.weight.cols} over ${show(node.x)}`
      return same(node.x, node.out) ? null : `x is ${show(node.x)}, out ${show(node.out)}`
    case 'rope': {
      const { headDim, invFreq } = node.rotary
      if (node.x.cols % headDim !== 0) return `heads of ${headDim} in ${show(node.x)}`
      if (2 * invFreq.cols > headDim) return `rotates ${2 * invFreq.cols} of ${headDim} values of a head`
      return same(node.x, node.out) ? null : `x is ${show(node.x)}, out ${show(node.out)}`
    }
    case 'pagedAttention': {
      const { heads, kvHeads, headDim } = node.shape
      if (heads % kvHeads !== 0) return `${heads} heads over ${kvHeads} KV heads`
      return (
        wrongSize('q.cols', node.q.cols, heads * headDim) ??
        wrongSize('k.cols', node.k.cols, kvHeads * headDim) ??
        wrongSize('v.cols', node.v.cols, kvHeads * headDim) ??
        (same(node.q, node.out) && sameDim(node.q.rows, dim('T')) ? null : `q is ${show(node.q)}`)
      )
    }
    case 'mul':
    case 'add':
      return same(node.a, node.b) && same(node.a, node.out) ? null : `${show(node.a)} and ${show(node.b)}`
    case 'silu':
      return same(node.x, node.out) ? null : `x is ${show(node.x)}, out ${show(node.out)}`
    case 'rows':
      return sameDim(node.x.rows, dim('T')) && sameDim(node.out.rows, dim('L'))
        ? wrongSize('out.cols', node.out.cols, node.x.cols)
        : `from ${show(node.x)} to ${show(node.out)}`
    case 'sample':
      return sameDim(node.logits.rows, dim('L')) ? null : `logits are ${show(node.logits)}`
    case 'pool':
      return sameDim(node.x.rows, dim('T')) ? null : `x is ${show(node.x)}`
  }
}

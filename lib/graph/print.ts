// A graph as text, one line a node: %out [rows, cols] = op(%in, weight) constants.
import { type Graph, inputsOf, type Node, outputOf, weightsOf } from './graph.ts'
import { showDim } from './shape.ts'

export function print(graph: Graph): string {
  return graph.nodes.map(printNode).join('\n')
}

function printNode(node: Node): string {
  const out = outputOf(node)
  const left = out ? `%${out.id} [${showDim(out.rows)}, ${out.cols}] = ` : ''
  const operands = [...inputsOf(node).map((t) => `%${t.id}`), ...weightsOf(node).map((w) => w.name)]
  return `${left}${node.op}(${operands.join(', ')})${constants(node)}`
}

function constants(node: Node): string {
  switch (node.op) {
    case 'rmsNorm':
      return ` eps ${node.eps}`
    case 'rope':
      return ` scale ${node.rotary.scale}${node.rotary.interleaved ? ' interleaved' : ''}`
    case 'pagedAttention': {
      const { layer, heads, kvHeads, headDim, window } = node.shape
      return ` layer ${layer}, ${heads} heads over ${kvHeads} of ${headDim}${window > 0 ? `, window ${window}` : ''}`
    }
    case 'pool':
      return node.mean ? ' mean' : ' last'
    default:
      return ''
  }
}

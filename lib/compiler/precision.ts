// Pass 1: in which precision each tensor is read. A linear layer with quantised weights multiplies 8-bit activations
// (act8, native/ops/rows.h); every other reader takes f32.
import { KvasirError } from '../errors.ts'
import { type Dtype, dtypeName, GROUP, isQuantised } from '../graph/dtype.ts'
import { type Graph, inputsOf, type Tensor } from '../graph/graph.ts'

/** The storage format of the checkpoint's tensor of that name. */
export type Formats = (name: string) => Dtype

export interface Readers {
  act8: boolean
  f32: boolean
}

export interface Precision {
  /** How a tensor is read. */
  readersOf(tensor: Tensor): Readers
  quantised(weight: string): boolean
}

export function precision(graph: Graph, formats: Formats): Precision {
  const readers = new Map<number, Readers>()
  const linearWeights = new Map<string, boolean>()

  for (const node of graph.nodes) {
    let act8 = false
    if (node.op === 'linear') {
      act8 = isQuantised(formats(node.weight.name))
      linearWeights.set(node.weight.name, act8)
      if (act8 && node.x.cols % GROUP !== 0)
        throw new KvasirError(
          'KV_UNSUPPORTED',
          `${node.weight.name} is ${dtypeName(formats(node.weight.name))} with ${node.x.cols} columns; 8-bit activations come in groups of ${GROUP}: use f16 weights for this model`,
        )
    }
    for (const tensor of inputsOf(node)) {
      const known = readers.get(tensor.id) ?? { act8: false, f32: false }
      readers.set(tensor.id, { act8: known.act8 || act8, f32: known.f32 || !act8 })
    }
  }
  return {
    readersOf: (tensor) => readers.get(tensor.id) ?? { act8: false, f32: false },
    quantised: (weight) => linearWeights.get(weight) ?? false,
  }
}

// A model as a graph: nodes in the order of evaluation over tensors [rows, cols]. Rows depend on the step (shape.ts),
// columns do not. Token ids, positions, pages and the choice of rows belong to the step and are no tensors here: the
// ops that need them (embed, rope, pagedAttention, rows, sample, pool) read them from it.
import { type Dim, dim } from './shape.ts'

/** A parameter of the model, named as in the checkpoint, or a small table that comes with the graph (`data`). */
export interface Weight {
  readonly kind: 'weight'
  readonly name: string
  /** 1 for a vector. */
  readonly rows: number
  readonly cols: number
  readonly data?: Float32Array
}

/** A value of the step, f32 in every row as far as a model knows. */
export interface Tensor {
  readonly kind: 'tensor'
  readonly id: number
  readonly graph: Graph
  readonly rows: Dim
  readonly cols: number
}

export interface Rotary {
  /** [rotary_dim / 2] */
  readonly invFreq: Weight
  /** Factor of cosines and sines: YaRN's attention factor, else 1. */
  readonly scale: number
  readonly headDim: number
  /** Pairs are (2i, 2i + 1), else (i, i + rotary_dim / 2). */
  readonly interleaved: boolean
}

export interface AttentionShape {
  readonly layer: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly scale: number
  /** A query sees only the last `window` positions; 0: all. */
  readonly window: number
}

/** What a node computes; `out` is absent where the result leaves the graph (sample, pool). */
export type Node = { readonly scope: string } & (
  | { readonly op: 'embed'; readonly table: Weight; readonly out: Tensor }
  | {
      readonly op: 'linear'
      readonly x: Tensor
      readonly weight: Weight
      readonly bias: Weight | null
      readonly out: Tensor
    }
  | { readonly op: 'rmsNorm'; readonly x: Tensor; readonly weight: Weight; readonly eps: number; readonly out: Tensor }
  | { readonly op: 'rope'; readonly x: Tensor; readonly rotary: Rotary; readonly out: Tensor }
  | {
      readonly op: 'pagedAttention'
      readonly q: Tensor
      readonly k: Tensor
      readonly v: Tensor
      readonly shape: AttentionShape
      readonly out: Tensor
    }
  | { readonly op: 'silu'; readonly x: Tensor; readonly out: Tensor }
  | { readonly op: 'mul'; readonly a: Tensor; readonly b: Tensor; readonly out: Tensor }
  | { readonly op: 'add'; readonly a: Tensor; readonly b: Tensor; readonly out: Tensor }
  | { readonly op: 'rows'; readonly x: Tensor; readonly out: Tensor }
  | { readonly op: 'sample'; readonly logits: Tensor }
  | { readonly op: 'pool'; readonly x: Tensor; readonly mean: boolean }
)

export type OpName = Node['op']
export type NodeOf<Name extends OpName> = Extract<Node, { op: Name }>

type WithoutScope<N> = N extends Node ? Omit<N, 'scope'> : never

interface Contents {
  nodes: Node[]
  weights: Map<string, Weight>
  tensors: number
}

/** A graph, or a view of one whose weight names begin with a prefix. */
export class Graph {
  private readonly contents: Contents
  readonly prefix: string

  constructor(contents: Contents = { nodes: [], weights: new Map(), tensors: 0 }, prefix = '') {
    this.contents = contents
    this.prefix = prefix
  }

  get nodes(): readonly Node[] {
    return this.contents.nodes
  }

  get weights(): ReadonlyMap<string, Weight> {
    return this.contents.weights
  }

  /** The same graph, with `name.` before the names of its weights. */
  scope(name: string): Graph {
    return new Graph(this.contents, `${this.prefix}${name}.`)
  }

  /** The weight [rows, cols], or the vector [cols]. Asking twice gives the same one. */
  weight(name: string, ...shape: [number] | [number, number]): Weight {
    const [rows, cols] = shape.length === 1 ? [1, shape[0]] : shape
    return this.define({ kind: 'weight', name: this.prefix + name, rows, cols })
  }

  /** A vector that is computed from the config, not read from the checkpoint. */
  constant(name: string, data: Float32Array): Weight {
    return this.define({ kind: 'weight', name: this.prefix + name, rows: 1, cols: data.length, data })
  }

  tensor(rows: Dim | 'T' | 'L', cols: number): Tensor {
    return {
      kind: 'tensor',
      id: this.contents.tensors++,
      graph: this,
      rows: typeof rows === 'string' ? dim(rows) : rows,
      cols,
    }
  }

  push(node: WithoutScope<Node>): void {
    this.contents.nodes.push({ ...node, scope: this.prefix } as Node)
  }

  private define(weight: Weight): Weight {
    const known = this.contents.weights.get(weight.name)
    if (!known) {
      this.contents.weights.set(weight.name, weight)
      return weight
    }
    if (known.rows !== weight.rows || known.cols !== weight.cols)
      throw new Error(
        `weight ${weight.name} is used as ${known.rows} × ${known.cols} and ${weight.rows} × ${weight.cols}`,
      )
    return known
  }
}

/** The tensors that a node reads. */
export function inputsOf(node: Node): Tensor[] {
  switch (node.op) {
    case 'embed':
      return []
    case 'pagedAttention':
      return [node.q, node.k, node.v]
    case 'mul':
    case 'add':
      return [node.a, node.b]
    case 'sample':
      return [node.logits]
    default:
      return [node.x]
  }
}

/** The weights that a node reads. */
export function weightsOf(node: Node): Weight[] {
  switch (node.op) {
    case 'embed':
      return [node.table]
    case 'linear':
      return node.bias ? [node.weight, node.bias] : [node.weight]
    case 'rmsNorm':
      return [node.weight]
    case 'rope':
      return [node.rotary.invFreq]
    default:
      return []
  }
}

export const outputOf = (node: Node): Tensor | null => ('out' in node ? node.out : null)

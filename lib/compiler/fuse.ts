// Pass 2: graph → instructions, with everything fused that pays (design.md §4):
//
//   q, k, v and gate, up     one linear into one buffer, where they read the same x in the same precision
//   norm of heads, rope      into rope_kv, which also writes the KV cache
//   silu(gate) · up          gated_linear, where gate and up read the same x in the same precision; else swiglu
//   h + linear(…)            linear that accumulates into the residual stream
//   norm of chosen rows      rms_norm with a row index
//   quantisation             into what produces the tensor, where nobody wants it in f32
import { KvasirError } from '../errors.ts'
import { Dtype } from '../graph/dtype.ts'
import type { Graph, NodeOf, Rotary, Tensor } from '../graph/graph.ts'
import { dim } from '../graph/shape.ts'
import {
  float,
  type Instruction,
  integer,
  layerOf,
  MAX_SEGMENTS,
  NONE,
  type Operand,
  type OpName,
  read,
  update,
  type Value,
  write,
} from './instructions.ts'
import { type AttentionInputs, type Group, Patterns } from './patterns.ts'
import type { Precision } from './precision.ts'
import type { WeightList } from './weights.ts'

/** `patterns`: those of the graph, where the caller has found them already. */
export function fuse(
  graph: Graph,
  precision: Precision,
  weights: WeightList,
  patterns = new Patterns(graph),
): Instruction[] {
  return new Fusion(graph, precision, weights, patterns).run()
}

class Fusion {
  private readonly graph: Graph
  private readonly precision: Precision
  private readonly weights: WeightList
  private readonly patterns: Patterns
  private readonly code: Instruction[] = []
  private readonly f32 = new Map<number, Value>() // by tensor
  private readonly act8 = new Map<number, Value>()
  private readonly groupValues = new Map<Group, Value>()
  private readonly ropeTables = new Map<string, Value>()
  private values = 0

  constructor(graph: Graph, precision: Precision, weights: WeightList, patterns: Patterns) {
    this.graph = graph
    this.precision = precision
    this.weights = weights
    this.patterns = patterns
  }

  run(): Instruction[] {
    // Rotary tables first: once a step, outside the layers.
    for (const node of this.graph.nodes) if (node.op === 'rope') this.ropeTable(node.rotary)
    for (const node of this.graph.nodes) {
      if (this.patterns.absorbed.has(node)) continue
      switch (node.op) {
        case 'embed':
          this.emit('embed', this.weights.use(node.table, 'any'), write(this.newF32(node.out)))
          break
        case 'linear':
          this.linear(node)
          break
        case 'rmsNorm':
          this.rmsNorm(node)
          break
        case 'pagedAttention':
          this.attention(node, this.patterns.attention.get(node)!)
          break
        case 'mul':
          this.swiglu(this.patterns.swiglu.get(node)!, node.out)
          break
        case 'add':
          this.add(node)
          break
        case 'sample':
          this.emit('sample', update(this.inF32(node.logits)))
          break
        case 'pool':
          this.emit('pool', read(this.inF32(node.x)), integer(node.mean))
          break
        default:
          throw new KvasirError('KV_UNSUPPORTED', `no kernel computes ${node.op} in "${node.scope}" on its own`)
      }
    }
    return this.code
  }

  private emit(op: OpName, ...operands: Operand[]): void {
    this.code.push({ op, operands })
  }

  // --- values -------------------------------------------------------------------------------------------------------

  private value(rows: Value['rows'], cols: number, dtype: Value['dtype'] = Dtype.f32): Value {
    return { id: this.values++, rows, cols, dtype }
  }

  private newF32(tensor: Tensor): Value {
    const value = this.value(tensor.rows, tensor.cols)
    this.f32.set(tensor.id, value)
    return value
  }

  /** What an op that can quantise writes `tensor` to. */
  private result(tensor: Tensor, canQuantise = true): Value {
    const { act8, f32 } = this.precision.readersOf(tensor)
    if (!canQuantise || !act8 || f32) return this.newF32(tensor)
    const value = this.value(tensor.rows, tensor.cols, Dtype.act8)
    this.act8.set(tensor.id, value)
    return value
  }

  private inF32(tensor: Tensor): Value {
    const value = this.f32.get(tensor.id)
    if (!value) throw new Error(`tensor ${tensor.id} has no value in f32`)
    return value
  }

  private inAct8(tensor: Tensor): Value {
    const known = this.act8.get(tensor.id)
    if (known) return known
    const value = this.value(tensor.rows, tensor.cols, Dtype.act8)
    this.emit('quantize', read(this.inF32(tensor)), write(value))
    this.act8.set(tensor.id, value)
    return value
  }

  /** The buffer in which the outputs of a group lie side by side. */
  private groupValue(group: Group): Value {
    let value = this.groupValues.get(group)
    if (!value) {
      const cols = group.members.reduce((sum, { weight }) => sum + weight.rows, 0)
      value = this.value(group.members[0]!.x.rows, cols)
      this.groupValues.set(group, value)
    }
    return value
  }

  // --- ops ----------------------------------------------------------------------------------------------------------

  private linear(node: NodeOf<'linear'>): void {
    const group = this.patterns.groups.get(node)
    if (group) {
      if (node === group.members.at(-1) && !this.gated(group)) this.linearGroup(group)
      return
    }
    const residual = this.patterns.residuals.get(node)
    if (residual) {
      const h = this.inF32(residual.h)
      this.linearInto(h, 0, [node], true)
      this.f32.set(residual.add.out.id, h)
    } else {
      this.linearInto(this.newF32(node.out), 0, [node])
    }
  }

  /** As few instructions as the inputs and precisions of the members allow. */
  private linearGroup(group: Group): void {
    const y = this.groupValue(group)
    let column = 0
    for (let begin = 0; begin < group.members.length; ) {
      const first = group.members[begin]!
      let end = begin + 1
      while (end < group.members.length && end - begin < MAX_SEGMENTS && this.alike(first, group.members[end]!)) end++
      const members = group.members.slice(begin, end)
      this.linearInto(y, column, members)
      column += members.reduce((sum, { weight }) => sum + weight.rows, 0)
      begin = end
    }
  }

  /** Whether silu(gate) · up is one instruction. */
  private gated(group: Group): boolean {
    const [gate, up] = group.members
    return [...this.patterns.swiglu.values()].includes(group) && this.alike(gate!, up!)
  }

  private swiglu(group: Group, out: Tensor): void {
    const both = this.groupValue(group)
    if (!this.gated(group)) {
      this.emit('swiglu', read(both), write(this.result(out)))
      return
    }
    const x = this.inputOf(group.members[0]!)
    const y = this.result(out)
    this.emit('gated_linear', read(x), write(y), write(both), ...group.members.flatMap((m) => this.segment(m)))
  }

  /** What a linear layer reads, in the precision of its weights. */
  private inputOf({ x, weight }: NodeOf<'linear'>): Value {
    return this.precision.quantised(weight.name) ? this.inAct8(x) : this.inF32(x)
  }

  private segment({ weight, bias }: NodeOf<'linear'>): Operand[] {
    const need = this.precision.quantised(weight.name) ? 'quantised' : 'floats'
    return [this.weights.use(weight, need), this.weights.use(bias, 'f32')]
  }

  private alike(a: NodeOf<'linear'>, b: NodeOf<'linear'>): boolean {
    return a.x.id === b.x.id && this.precision.quantised(a.weight.name) === this.precision.quantised(b.weight.name)
  }

  private linearInto(y: Value, column: number, members: NodeOf<'linear'>[], accumulate = false): void {
    const segments = members.flatMap((member) => this.segment(member))
    while (segments.length < 2 * MAX_SEGMENTS) segments.push(NONE)
    this.emit(
      'linear',
      read(this.inputOf(members[0]!)),
      accumulate ? update(y) : write(y),
      integer(column),
      integer(accumulate),
      integer(members.length),
      ...segments,
    )
  }

  private rmsNorm(node: NodeOf<'rmsNorm'>): void {
    if (node.weight.cols !== node.x.cols)
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `rmsNorm in "${node.scope}": heads are normed only where they are rotated`,
      )
    const source = this.patterns.gathered.get(node)
    const x = this.inF32(source ?? node.x)
    const w = this.weights.use(node.weight, 'f32')
    this.emit('rms_norm', read(x), w, integer(source !== undefined), float(node.eps), write(this.result(node.out)))
  }

  private attention(node: NodeOf<'pagedAttention'>, inputs: AttentionInputs): void {
    const { layer, heads, headDim, scale, window } = node.shape
    const { rotary, qNorm, kNorm } = inputs
    const qkv = this.groupValue(inputs.group)
    this.emit(
      'rope_kv',
      update(qkv),
      read(this.ropeTable(rotary)),
      integer(heads),
      this.weights.use(qNorm?.weight ?? null, 'f32'),
      this.weights.use(kNorm?.weight ?? null, 'f32'),
      float(qNorm?.eps ?? 0),
      integer(rotary.interleaved),
      layerOf(layer),
    )
    const y = this.result(node.out, headDim % 32 === 0)
    this.emit('attention', read(qkv), integer(heads), float(scale), integer(window), layerOf(layer), write(y))
  }

  private ropeTable({ invFreq, scale }: Rotary): Value {
    const key = `${invFreq.name} ${scale}`
    let table = this.ropeTables.get(key)
    if (!table) {
      table = this.value(dim('T'), 2 * invFreq.cols)
      this.ropeTables.set(key, table)
      this.emit('rope_table', this.weights.use(invFreq, 'f32'), float(scale), write(table))
    }
    return table
  }

  /** In place, into the operand that nobody reads afterwards. */
  private add(node: NodeOf<'add'>): void {
    const into = [node.a, node.b].find((t) => this.patterns.lastReader(t) === node)
    const other = into === node.a ? node.b : node.a
    if (!into || into.id === other.id)
      throw new KvasirError('KV_UNSUPPORTED', `add in "${node.scope}": both operands are read again later`)
    this.emit('add', read(this.inF32(other)), update(this.inF32(into)))
    this.f32.set(node.out.id, this.inF32(into))
  }
}

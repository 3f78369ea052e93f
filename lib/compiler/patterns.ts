// The shapes that fuse.ts looks for in a graph. Nothing is changed here.
import { KvasirError } from '../errors.ts'
import { type Graph, inputsOf, type Node, type NodeOf, outputOf, type Rotary, type Tensor } from '../graph/graph.ts'

/** Linear layers whose outputs lie side by side in one buffer, in this order. */
export interface Group {
  readonly members: readonly NodeOf<'linear'>[]
}

export interface AttentionInputs {
  readonly group: Group // q, k, v
  readonly rotary: Rotary
  readonly qNorm: NodeOf<'rmsNorm'> | null
  readonly kNorm: NodeOf<'rmsNorm'> | null
}

export class Patterns {
  /** Nodes that another node's instruction computes. */
  readonly absorbed = new Set<Node>()
  readonly groups = new Map<Node, Group>() // by member
  readonly attention = new Map<Node, AttentionInputs>()
  readonly swiglu = new Map<Node, Group>() // by mul
  /** Linear layers whose output is only added to h, which nobody else reads afterwards. */
  readonly residuals = new Map<Node, { h: Tensor; add: NodeOf<'add'> }>()
  /** Norms of chosen rows, with the tensor that the rows are chosen from. */
  readonly gathered = new Map<Node, Tensor>()

  private readonly writers = new Map<number, Node>()
  private readonly readers = new Map<number, Node[]>()
  private readonly positions = new Map<Node, number>()

  constructor(graph: Graph) {
    for (const [position, node] of graph.nodes.entries()) {
      this.positions.set(node, position)
      for (const { id } of inputsOf(node)) this.readers.set(id, [...(this.readers.get(id) ?? []), node])
      const out = outputOf(node)
      if (out) this.writers.set(out.id, node)
    }
    for (const node of graph.nodes) {
      if (node.op === 'pagedAttention') this.matchAttention(node)
      if (node.op === 'mul') this.matchSwiglu(node)
      if (node.op === 'rmsNorm') this.matchGather(node)
    }
    for (const node of graph.nodes) if (node.op === 'add') this.matchResidual(node)
  }

  lastReader(tensor: Tensor): Node | undefined {
    return this.readers.get(tensor.id)?.at(-1)
  }

  private onlyReader(tensor: Tensor): Node | undefined {
    const readers = this.readers.get(tensor.id)
    return readers?.length === 1 ? readers[0] : undefined
  }

  /** The node that writes `tensor`, if it is an `op` and nobody but one node reads its result. */
  private from<Op extends Node['op']>(op: Op, tensor: Tensor): NodeOf<Op> | null {
    const node = this.writers.get(tensor.id)
    return node?.op === op && this.onlyReader(tensor) ? (node as NodeOf<Op>) : null
  }

  private group(...members: NodeOf<'linear'>[]): Group {
    const group = { members: members.sort((a, b) => this.positions.get(a)! - this.positions.get(b)!) }
    for (const member of members) this.groups.set(member, group)
    return group
  }

  /** rope(norm?(linear)) twice, and linear. */
  private matchAttention(node: NodeOf<'pagedAttention'>): void {
    const rotated = (t: Tensor) => {
      const rope = this.from('rope', t)
      const norm = rope && this.from('rmsNorm', rope.x)
      const linear = rope && this.from('linear', norm ? norm.x : rope.x)
      return linear && { rope, norm, linear }
    }
    const q = rotated(node.q)
    const k = rotated(node.k)
    const v = this.from('linear', node.v)
    if (!q || !k || !v || !sameRotary(q.rope.rotary, k.rope.rotary) || q.norm?.eps !== k.norm?.eps)
      throw new KvasirError(
        'KV_UNSUPPORTED',
        `pagedAttention in "${node.scope}": q and k must be rotated alike, and q, k and v come from linear layers of their own`,
      )
    for (const part of [q, k]) {
      this.absorbed.add(part.rope)
      if (part.norm) this.absorbed.add(part.norm)
    }
    const group = this.group(q.linear, k.linear, v)
    if (group.members[0] !== q.linear || group.members[1] !== k.linear)
      throw new KvasirError('KV_UNSUPPORTED', `pagedAttention in "${node.scope}": write q, then k, then v`)
    this.attention.set(node, { group, rotary: q.rope.rotary, qNorm: q.norm, kNorm: k.norm })
  }

  /** silu(linear) · linear. */
  private matchSwiglu(node: NodeOf<'mul'>): void {
    const silu = this.from('silu', node.a)
    const gate = silu && this.from('linear', silu.x)
    const up = this.from('linear', node.b)
    if (!gate || !up || this.positions.get(gate)! > this.positions.get(up)!)
      throw new KvasirError('KV_UNSUPPORTED', `mul in "${node.scope}": only silu(gate) · up has a kernel`)
    this.absorbed.add(silu)
    this.swiglu.set(node, this.group(gate, up))
  }

  private matchGather(node: NodeOf<'rmsNorm'>): void {
    const rows = this.from('rows', node.x)
    if (!rows) return
    this.absorbed.add(rows)
    this.gathered.set(node, rows.x)
  }

  /** h + linear(…), where h is not read between the two nor after. */
  private matchResidual(node: NodeOf<'add'>): void {
    for (const [h, t] of [
      [node.a, node.b],
      [node.b, node.a],
    ] as const) {
      const linear = this.from('linear', t)
      if (!linear || this.groups.has(linear) || this.lastReader(h) !== node) continue
      const written = this.positions.get(this.writers.get(h.id)!)!
      const position = this.positions.get(linear)!
      const others = this.readers.get(h.id)!.filter((reader) => reader !== node)
      if (written > position || others.some((reader) => this.positions.get(reader)! >= position)) continue
      this.residuals.set(linear, { h, add: node })
      this.absorbed.add(node)
      return
    }
  }
}

const sameRotary = (a: Rotary, b: Rotary) =>
  a.invFreq === b.invFreq && a.scale === b.scale && a.headDim === b.headDim && a.interleaved === b.interleaved

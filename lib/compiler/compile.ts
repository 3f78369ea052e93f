// Graph → tape, as a list of pure passes. Compiling knows formats and limits; the graph knows neither.
//
// Programs of one model share their weights: give the second compile() the weights of the first, and bind the list of
// the last.
import { KvasirError } from '../errors.ts'
import type { Graph, NodeOf } from '../graph/graph.ts'
import { print } from '../graph/print.ts'
import type { Symbols } from '../graph/shape.ts'
import { verify } from '../graph/verify.ts'
import { emit, type KvShape } from './emit.ts'
import { fuse } from './fuse.ts'
import type { Instruction } from './instructions.ts'
import { listing } from './listing.ts'
import { placeValues } from './memory.ts'
import { Patterns } from './patterns.ts'
import { type Formats, precision } from './precision.ts'
import { type Item, roll } from './roll.ts'
import { type ProgramWeight, WeightList } from './weights.ts'

export interface CompileOptions {
  /** The storage format of each of the checkpoint's tensors. */
  formats: Formats
  /** The largest step. */
  limits: Symbols
  /** The weights of a program of the same model, compiled before. */
  weights?: readonly ProgramWeight[]
  /** False: no REPEAT. For tests. */
  repeat?: boolean
}

export interface CompiledProgram {
  tape: Int32Array
  /** By index on the tape. */
  weights: readonly ProgramWeight[]
  arenaBytes: number
  /** Graph and tape as text. */
  dump(): string
}

export function compile(graph: Graph, options: CompileOptions): CompiledProgram {
  const passes = compiling(graph, options)
  for (;;) {
    const { done, value } = passes.next()
    if (done) return value
  }
}

/** compile() pass by pass: yields after each, for a caller with something else to do in between. */
export function* compiling(graph: Graph, options: CompileOptions): Generator<void, CompiledProgram> {
  verify(graph)
  yield
  const { limits } = options
  const list = new WeightList(options.weights)
  const precise = precision(graph, options.formats)
  yield
  const patterns = new Patterns(graph)
  yield
  const code = fuse(graph, precise, list, patterns)
  yield
  const rolled = roll(code)
  yield
  const arena = placeValues(rolled, limits)
  yield
  const items = options.repeat === false ? unroll(rolled) : rolled
  const tape = emit({ items, arena, weights: list.all, limits, kv: kvShape(graph) })
  return {
    tape,
    weights: list.all,
    arenaBytes: arena.bytes,
    dump: () => `graph\n${print(graph)}\n\n${listing(tape, list.all)}\n`,
  }
}

/** The instructions of a step one by one. */
export function unroll(items: readonly Item[]): Instruction[] {
  return items.flatMap((item) => {
    if (item.op !== 'repeat') return [item]
    return Array.from({ length: item.count }, (_, i) =>
      item.body.map((instruction) => iteration(instruction, i)),
    ).flat()
  })
}

function iteration({ op, operands }: Instruction, i: number): Instruction {
  return {
    op,
    operands: operands.map((operand) =>
      'index' in operand ? { ...operand, index: operand.index + i * operand.stride, stride: 0 } : operand,
    ),
  }
}

/** The longest head that the attention kernels take (kMaxHeadDim in native/ops/attention.h). */
const MAX_HEAD_DIM = 256

function kvShape(graph: Graph): KvShape {
  const shapes = graph.nodes.filter((node): node is NodeOf<'pagedAttention'> => node.op === 'pagedAttention')
  const [first] = shapes.map(({ shape }) => shape)
  if (!first) return { layers: 0, heads: 0, headDim: 0 }
  if (first.headDim > MAX_HEAD_DIM || first.headDim % 2 !== 0)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `heads of ${first.headDim}; attention takes an even number of values up to ${MAX_HEAD_DIM}`,
    )
  return {
    layers: Math.max(...shapes.map(({ shape }) => shape.layer)) + 1,
    heads: first.kvHeads,
    headDim: first.headDim,
  }
}

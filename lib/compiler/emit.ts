// Pass 5: words, as native/program/format.h describes them.
import { type Dim, SYMBOLS, type Symbols, sameDim } from '../graph/shape.ts'
import { type Instruction, isIndexed, isValue, Need, OPS, type Operand, REPEAT_CODE } from './instructions.ts'
import { type Arena, LINE } from './memory.ts'
import type { Item } from './roll.ts'
import type { ProgramWeight } from './weights.ts'

export const MAGIC = 0x4b565450 // "KVTP"
export const VERSION = 1

/** The KV cache that the attention instructions of a program work on. */
export interface KvShape {
  layers: number
  heads: number
  headDim: number
}

export interface TapeParts {
  items: readonly Item[]
  arena: Arena
  weights: readonly ProgramWeight[]
  limits: Symbols
  kv: KvShape
}

export function emit({ items, arena, weights, limits, kv }: TapeParts): Int32Array {
  const buffers = new Map(arena.buffers.map(({ value }, index) => [value.id, index]))
  const dims: Dim[] = []
  const dimIndex = (rows: Dim) => {
    const known = dims.findIndex((d) => sameDim(d, rows))
    return known >= 0 ? known : dims.push(rows) - 1
  }

  const bufferWords = arena.buffers.flatMap(({ value, offset }) => [
    value.dtype,
    dimIndex(value.rows),
    value.cols,
    offset / LINE,
  ])
  const weightWords = weights.flatMap(({ need, rows, cols }) => [Need[need], rows, cols])
  const code = items.flatMap((item) => {
    if (item.op !== 'repeat') return instructionWords(item, buffers)
    const body = item.body.flatMap((instruction) => instructionWords(instruction, buffers))
    return [REPEAT_CODE, item.count, body.length, ...body]
  })

  const header = [
    MAGIC,
    VERSION,
    dims.length,
    arena.buffers.length,
    weights.length,
    code.length,
    arena.bytes / LINE,
    kv.layers,
    kv.heads,
    kv.headDim,
  ]
  const maxima = SYMBOLS.map((symbol) => limits[symbol])
  const dimWords = dims.flatMap((d) => [d.constant, ...SYMBOLS.map((symbol) => d[symbol])])
  return Int32Array.from([...header, ...maxima, ...dimWords, ...bufferWords, ...weightWords, ...code])
}

function instructionWords({ op, operands }: Instruction, buffers: ReadonlyMap<number, number>): number[] {
  return [OPS[op].code, ...operands.flatMap((operand) => operandWords(operand, buffers))]
}

function operandWords(operand: Operand, buffers: ReadonlyMap<number, number>): number[] {
  if (isValue(operand)) return [buffers.get(operand.value.id)!]
  if (isIndexed(operand)) return [operand.index, operand.stride]
  return [operand.kind === 'float' ? floatBits(operand.number) : operand.number]
}

const scratch = new DataView(new ArrayBuffer(4))

export function floatBits(value: number): number {
  scratch.setFloat32(0, value)
  return scratch.getInt32(0)
}

export function bitsFloat(bits: number): number {
  scratch.setInt32(0, bits)
  return scratch.getFloat32(0)
}

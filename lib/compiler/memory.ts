// Pass 4: a place in the arena for each value, at the largest step. Values that live at the same time do not overlap;
// the largest are placed first, each at the lowest offset that is free for its life. Room that one instruction alone may use
// comes after them: where it is left alone, its bytes are nobody's and never become resident.
import { activationStride } from '../graph/dtype.ts'
import { evaluate, type Symbols } from '../graph/shape.ts'
import { type Instruction, isValue, type Value } from './instructions.ts'
import type { Item } from './roll.ts'

/** Offsets are multiples of a cache line. */
export const LINE = 64

export interface Placed {
  readonly value: Value
  /** Bytes. */
  readonly offset: number
  readonly bytes: number
  /** First and last instruction that touch it, counted with the body of a REPEAT once. */
  readonly first: number
  readonly last: number
}

export interface Arena {
  readonly bytes: number
  /** In the order of first use; the index is the buffer's number on the tape. */
  readonly buffers: readonly Placed[]
}

export function placeValues(items: readonly Item[], limits: Symbols): Arena {
  const lives = livesOf(items)
  const sized = lives.map((life) => ({
    ...life,
    bytes: evaluate(life.value.rows, limits) * activationStride(life.value.dtype, life.value.cols),
  }))

  const placed = new Map<Value, Placed>()
  const isRoom = ({ first, last }: Life) => Number(first === last)
  for (const life of [...sized].sort((a, b) => isRoom(a) - isRoom(b) || b.bytes - a.bytes)) {
    const neighbours = [...placed.values()]
      .filter((other) => other.first <= life.last && life.first <= other.last)
      .sort((a, b) => a.offset - b.offset)
    let offset = 0
    for (const other of neighbours) {
      if (offset + life.bytes <= other.offset) break
      offset = Math.max(offset, other.offset + other.bytes)
    }
    placed.set(life.value, { ...life, offset })
  }
  const buffers = sized.map(({ value }) => placed.get(value)!)
  return { buffers, bytes: Math.max(0, ...buffers.map(({ offset, bytes }) => offset + bytes)) }
}

interface Life {
  value: Value
  first: number
  last: number
}

function livesOf(items: readonly Item[]): Life[] {
  const lives = new Map<number, Life>()
  let position = 0
  const touch = ({ operands }: Instruction, loop?: { begin: number; end: number }) => {
    for (const operand of operands) {
      if (!isValue(operand)) continue
      const life = lives.get(operand.value.id)
      // What comes from before a loop is needed in each of its iterations.
      const last = life && loop && life.first < loop.begin ? loop.end : position
      if (life) life.last = Math.max(life.last, last)
      else lives.set(operand.value.id, { value: operand.value, first: position, last })
    }
    position++
  }
  for (const item of items) {
    if (item.op !== 'repeat') {
      touch(item)
      continue
    }
    const loop = { begin: position, end: position + item.body.length - 1 }
    for (const instruction of item.body) touch(instruction, loop)
  }
  return [...lives.values()]
}

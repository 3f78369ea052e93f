// The instructions of a tape with names that a person knows: where each begins in the code, how often a step runs it,
// and what it multiplies.
import { join } from 'node:path'
import { ROOT } from '../harness.ts'

const { OPS, operandWords, REPEAT_CODE } = require(join(ROOT, 'dist/compiler/instructions.js')) as {
  OPS: Record<string, { code: number; operands: [string, string][] }>
  operandWords: (kind: string) => number
  REPEAT_CODE: number
}

const HEADER_WORDS = 10
const SYMBOLS = 4
const DIM_WORDS = 1 + SYMBOLS
const SYMBOL_L = 3 // among the words of a dim

export interface TapeInstruction {
  /** The op, and for linear the columns and the rows of its weights. */
  name: string
  op: string
  /** Index of its first word in the code. */
  word: number
  /** Times a step, by REPEAT. */
  count: number
  /** Multiply-adds a row of its input, of linear. */
  macs: number
  /** 'L' if it works on the rows that are sampled alone, else 'T': all tokens. */
  rows: 'T' | 'L'
}

/** native/program/format.h has the layout. */
export function instructionsOf(tape: Int32Array): TapeInstruction[] {
  const [dims, buffers, weights, words] = tape.subarray(2, 6) as unknown as [number, number, number, number]
  const shapes = HEADER_WORDS + SYMBOLS + dims * DIM_WORDS + buffers * 4
  const begin = shapes + 3 * weights
  /** The dim of a buffer's rows: a constant, then the factors of T, S, L, B. */
  const dim = (buffer: number) => {
    const from = HEADER_WORDS + SYMBOLS + DIM_WORDS * tape[HEADER_WORDS + SYMBOLS + DIM_WORDS * dims + 4 * buffer + 1]!
    return tape.subarray(from, from + DIM_WORDS)
  }
  const shape = (index: number) => [tape[shapes + 3 * index + 1]!, tape[shapes + 3 * index + 2]!] as const
  const names = new Map(Object.entries(OPS).map(([name, { code }]) => [code, name]))

  const found: TapeInstruction[] = []
  let [bodyEnd, repeats] = [0, 1]
  for (let at = begin; at < begin + words; ) {
    const word = at - begin
    const op = tape[at++]!
    if (op === REPEAT_CODE) {
      repeats = tape[at++]!
      bodyEnd = tape[at++]! + at
      continue
    }
    if (at > bodyEnd) repeats = 1
    const name = names.get(op)!
    const instruction: TapeInstruction = { name, op: name, word, count: repeats, macs: 0, rows: 'T' }
    const members: number[] = []
    let cols = 0
    for (const [label, kind] of OPS[name]!.operands) {
      if (kind === 'write' && dim(tape[at]!)[SYMBOL_L] !== 0) instruction.rows = 'L'
      if (kind === 'weight' && /^(w\d|gate|up)$/.test(label) && tape[at]! >= 0) {
        const [rows, k] = shape(tape[at]!)
        members.push(rows)
        cols = k
        instruction.macs += rows * k
      }
      at += operandWords(kind)
    }
    if (cols > 0) instruction.name = `${name} ${cols} → ${members.join(' + ')}`
    found.push(instruction)
  }
  return found
}

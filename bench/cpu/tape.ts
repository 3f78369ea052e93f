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
}

/** native/program/format.h has the layout. */
export function instructionsOf(tape: Int32Array): TapeInstruction[] {
  const [dims, buffers, weights, words] = tape.subarray(2, 6) as unknown as [number, number, number, number]
  const shapes = HEADER_WORDS + SYMBOLS + dims * (1 + SYMBOLS) + buffers * 4
  const begin = shapes + 3 * weights
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
    const instruction: TapeInstruction = { name, op: name, word, count: repeats, macs: 0 }
    const members: number[] = []
    let cols = 0
    for (const [label, kind] of OPS[name]!.operands) {
      if (name === 'linear' && /^w\d/.test(label) && tape[at]! >= 0) {
        const [rows, k] = shape(tape[at]!)
        members.push(rows)
        cols = k
        instruction.macs += rows * k
      }
      at += operandWords(kind)
    }
    if (cols > 0) instruction.name = `linear ${cols} → ${members.join(' + ')}`
    found.push(instruction)
  }
  return found
}

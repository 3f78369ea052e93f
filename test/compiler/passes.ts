// The passes of compile() one by one, for tests that look between them.
import { expect } from 'vitest'
import { fuse } from '../../lib/compiler/fuse.ts'
import {
  type Instruction,
  isValue,
  OPS,
  type Operand,
  operandWords,
  REPEAT_CODE,
} from '../../lib/compiler/instructions.ts'
import { type Formats, precision } from '../../lib/compiler/precision.ts'
import { WeightList } from '../../lib/compiler/weights.ts'
import type { Graph } from '../../lib/graph/graph.ts'
import type { Output } from '../../lib/models/parts.ts'
import { buildGraph } from '../../lib/models/registry.ts'
import type { ModelConfig } from '../../lib/weights/config.ts'
import { formatsOf, tiny } from '../models/tiny.ts'

export function fused(graph: Graph, formats: Formats): Instruction[] {
  return fuse(graph, precision(graph, formats), new WeightList())
}

export function fusedModel(changes: Partial<ModelConfig> = {}, formats = formatsOf(), output: Output = 'generate') {
  return fused(buildGraph(tiny(changes), { output }), formats)
}

/** An instruction in the words of the paper: op, then the named operands. */
export function operandsOf(instruction: Instruction): Record<string, Operand> {
  return Object.fromEntries(OPS[instruction.op].operands.map(([name], i) => [name, instruction.operands[i]!]))
}

export const valuesOf = (instruction: Instruction) => instruction.operands.filter(isValue)

/** The words of a tape's code with every REPEAT written out, one array an instruction. */
export function expand(tape: Int32Array): number[][] {
  const [, , dims = 0, buffers = 0, weights = 0, codeWords = 0] = tape
  const begin = 10 + 4 + 5 * dims + 4 * buffers + 3 * weights
  expect(tape.length).toBe(begin + codeWords)
  const kinds = new Map<number, readonly (readonly [string, string])[]>(
    Object.values(OPS).map(({ code, operands }) => [code, operands]),
  )
  const instruction = (at: number, iteration: number): [number[], number] => {
    const words = [tape[at]!]
    for (const [, kind] of kinds.get(tape[at++]!)!) {
      if (operandWords(kind as Operand['kind']) === 1) words.push(tape[at++]!)
      else words.push(tape[at++]! + iteration * tape[at++]!)
    }
    return [words, at]
  }

  const out: number[][] = []
  for (let at = begin; at < tape.length; ) {
    const [count, end] = tape[at] === REPEAT_CODE ? [tape[at + 1]!, at + 3 + tape[at + 2]!] : [1, 0]
    const body = count > 1 ? at + 3 : at
    for (let i = 0; i < count; i++) {
      at = body
      do {
        const [words, next] = instruction(at, i)
        out.push(words)
        at = next
      } while (at < end)
    }
  }
  return out
}

// What the machine allows a step: the longer of reading every weight once and multiplying all of them, at the bandwidth
// and the rate of the 4-bit tiles that KernelBench measures here. Attention, and what lies between the matrices, is free.
import type { Machine } from './kernels.ts'
import type { TapeInstruction } from './tape.ts'

/** Multiply-adds of a step of `tokens`, `rows` of which are sampled. */
export const macsOf = ({ macs, count, rows: kind }: TapeInstruction, tokens: number, rows: number): number =>
  macs * count * (kind === 'L' ? rows : tokens)

export function limitMs(
  { weightBytes, instructions }: { weightBytes: number; instructions: readonly TapeInstruction[] },
  tokens: number,
  rows: number,
  machine: Machine,
): number {
  const macs = instructions.reduce((sum, op) => sum + macsOf(op, tokens, rows), 0)
  return Math.max(weightBytes / machine.gb_per_s, macs / machine.gmac_per_s) / 1e6
}

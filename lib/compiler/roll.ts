// Pass 3: runs of identical layers become one REPEAT. Two layers are identical when the same instructions work on
// values of the same shapes in the same pattern, and their weights and layer numbers advance by a constant stride.
// Storage formats may differ from layer to layer (they live in the weight table); act8 against f32 may not.
import { type Instruction, isIndexed, isValue, type Operand, type Repeat, type Value } from './instructions.ts'

/** Longest layer, in instructions, that is looked for. */
const MAX_PERIOD = 64

export type Item = Instruction | Repeat

export function roll(code: readonly Instruction[]): Item[] {
  const keys = code.map(keyOf)
  const renamed = new Map<number, Value>()
  const items: Item[] = []
  for (let at = 0; at < code.length; ) {
    const run = longestRun(code, keys, at)
    if (!run) {
      items.push(rename(code[at]!, renamed))
      at++
      continue
    }
    const { period, count, strides, aliases } = run
    const body = code.slice(at, at + period).map((instruction, i) => {
      const { op, operands } = rename(instruction, renamed)
      return {
        op,
        operands: operands.map((operand, j) =>
          isIndexed(operand) ? { ...operand, stride: strides[i]![j]! } : operand,
        ),
      }
    })
    items.push({ op: 'repeat', count, body })
    for (const [id, value] of aliases) renamed.set(id, value)
    at += period * count
  }
  return items
}

interface Run {
  period: number
  count: number
  /** By instruction and operand of the body. */
  strides: number[][]
  /** Values of the last iteration → those of the first, which stand for all. */
  aliases: Map<number, Value>
}

/** The repetition at `at` that covers the most instructions. A multiple of a period covers no more than it. */
function longestRun(code: readonly Instruction[], keys: readonly string[], at: number): Run | null {
  let best: Run | null = null
  const longest = Math.min(MAX_PERIOD, (code.length - at) >> 1)
  for (let period = 1; period <= longest; period++) {
    if (keys[at] !== keys[at + period] || (best && period % best.period === 0)) continue
    const run = runOf(code, keys, at, period)
    if (run && (!best || run.period * run.count > best.period * best.count)) best = run
  }
  return best
}

function runOf(code: readonly Instruction[], keys: readonly string[], at: number, period: number): Run | null {
  const strides: number[][] = []
  let aliases: Run['aliases'] | null = null
  let count = 1
  for (; at + (count + 1) * period <= code.length; count++) {
    const next = matchIteration(code, keys, at, period, count, strides)
    if (!next) break
    aliases = next
  }
  if (!aliases) return null

  // Later code sees only what the last iteration left.
  const gone = new Set<number>()
  for (const { operands } of code.slice(at, at + (count - 1) * period))
    for (const operand of operands) if (operand.kind === 'write') gone.add(operand.value.id)
  const after = code.slice(at + count * period)
  if (after.some(({ operands }) => operands.some((operand) => isValue(operand) && gone.has(operand.value.id))))
    return null
  return { period, count, strides, aliases }
}

/** Compares iteration `n` with the first; fills in `strides` when n is 1. Null when they differ. */
function matchIteration(
  code: readonly Instruction[],
  keys: readonly string[],
  at: number,
  period: number,
  n: number,
  strides: number[][],
): Map<number, Value> | null {
  const own = new Map<number, number>() // value of the first iteration → value of this one
  const aliases = new Map<number, Value>()
  for (let i = 0; i < period; i++) {
    if (keys[at + i] !== keys[at + n * period + i]) return null
    const first = code[at + i]!.operands
    const here = code[at + n * period + i]!.operands
    if (n === 1) strides[i] = first.map((a, j) => (isIndexed(a) ? (here[j] as typeof a).index - a.index : 0))
    for (const [j, a] of first.entries()) {
      const b = here[j]!
      if (isIndexed(a) && isIndexed(b) && b.index !== a.index + n * strides[i]![j]!) return null
      if (!isValue(a) || !isValue(b)) continue
      if (a.kind === 'write') {
        own.set(a.value.id, b.value.id)
        aliases.set(b.value.id, a.value)
      } else if (b.value.id !== (own.get(a.value.id) ?? a.value.id)) {
        return null
      }
    }
  }
  return aliases
}

/** What must be equal in two layers; weights, layer numbers and the names of values are left out. */
function keyOf({ op, operands }: Instruction): string {
  const key = (operand: Operand) => {
    if (isValue(operand)) return [operand.kind, operand.value.dtype, operand.value.cols, operand.value.rows]
    return isIndexed(operand) ? [operand.kind, operand.index < 0] : operand
  }
  return JSON.stringify([op, operands.map(key)])
}

function rename({ op, operands }: Instruction, renamed: ReadonlyMap<number, Value>): Instruction {
  return {
    op,
    operands: operands.map((operand) =>
      isValue(operand) ? { ...operand, value: renamed.get(operand.value.id) ?? operand.value } : operand,
    ),
  }
}

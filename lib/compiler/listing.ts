// A tape as text, read back from its words: what native code will see, in a form that a person can follow.
import { dtypeName } from '../graph/dtype.ts'
import { SYMBOLS, showDim } from '../graph/shape.ts'
import { bitsFloat } from './emit.ts'
import { OPS, type OpName, operandWords, REPEAT_CODE } from './instructions.ts'
import { LINE } from './memory.ts'
import type { ProgramWeight } from './weights.ts'

const HEADER_WORDS = 10
const opNames = new Map<number, OpName>(Object.entries(OPS).map(([name, { code }]) => [code, name as OpName]))

/** `weights` gives the names; without it weights are shown by number. */
export function listing(tape: Int32Array, weights: readonly ProgramWeight[] = []): string {
  let at = HEADER_WORDS
  const next = () => tape[at++]!
  const [, version, dimCount = 0, bufferCount = 0, weightCount = 0, codeWords = 0, lines = 0, ...kv] = tape.slice(0, at)
  const maxima = SYMBOLS.map((symbol) => `${symbol} ≤ ${next()}`)
  const dims = Array.from({ length: dimCount }, () =>
    showDim({ constant: next(), T: next(), S: next(), L: next(), B: next() }),
  )
  const buffers = Array.from({ length: bufferCount }, (_, i) => {
    const [dtype, rows, cols, line] = [next(), dims[next()], next(), next()]
    return `  %${i} ${dtypeName(dtype)} [${rows}, ${cols}] at ${line * LINE}`
  })
  at += 3 * weightCount

  const end = at + codeWords
  const code: string[] = []
  for (let bodyEnd = 0; at < end; ) {
    const indent = at < bodyEnd ? '    ' : '  '
    const op = next()
    if (op === REPEAT_CODE) {
      const count = next()
      bodyEnd = next() + at
      code.push(`${indent}repeat ${count}`)
      continue
    }
    const name = opNames.get(op)!
    const operands = OPS[name].operands.map(([label, kind]) => {
      const words = Array.from({ length: operandWords(kind) }, next)
      return showOperand(label, kind, words, weights)
    })
    code.push(`${indent}${name} ${operands.filter(Boolean).join(' ')}`)
  }

  return [
    `tape version ${version}, ${tape.length} words, arena ${lines * LINE} bytes, ${weightCount} weights`,
    `kv ${kv[0]} layers of ${kv[1]} heads of ${kv[2]}`,
    maxima.join(', '),
    'buffers',
    ...buffers,
    'code',
    ...code,
  ].join('\n')
}

function showOperand(label: string, kind: string, words: number[], weights: readonly ProgramWeight[]): string {
  const [first = 0, stride = 0] = words
  const step = stride === 0 ? '' : ` + ${stride}·i`
  if (kind === 'weight') return first < 0 ? '' : `${label}=${weights[first]?.name ?? `#${first}`}${step}`
  if (kind === 'layer') return `${label}=${first}${step}`
  if (kind === 'int') return `${label}=${first}`
  if (kind === 'float') return `${label}=${Number(bitsFloat(first).toPrecision(7))}`
  return `${label}=%${first}`
}

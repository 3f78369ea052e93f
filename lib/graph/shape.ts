// Row counts that are known only when a step arrives: affine expressions over the symbols of a step.
//
//   T  tokens    S  sequences    L  rows that reach the vocabulary    B  block-table entries

export const SYMBOLS = ['T', 'S', 'L', 'B'] as const
export type Symbol = (typeof SYMBOLS)[number]

/** constant + Σ factor · symbol, all ≥ 0. */
export interface Dim extends Readonly<Record<Symbol, number>> {
  readonly constant: number
}

/** The value of each symbol: of one step, or the most that a program allows. */
export type Symbols = Readonly<Record<Symbol, number>>

const zero: Dim = { constant: 0, T: 0, S: 0, L: 0, B: 0 }

export const dim = (size: number | Symbol): Dim =>
  typeof size === 'number' ? { ...zero, constant: size } : { ...zero, [size]: 1 }

export const sameDim = (a: Dim, b: Dim): boolean =>
  a.constant === b.constant && SYMBOLS.every((symbol) => a[symbol] === b[symbol])

export const evaluate = (d: Dim, symbols: Symbols): number =>
  SYMBOLS.reduce((sum, symbol) => sum + d[symbol] * symbols[symbol], d.constant)

export function showDim(d: Dim): string {
  const terms = SYMBOLS.filter((symbol) => d[symbol] !== 0).map((s) => (d[s] === 1 ? s : `${d[s]}·${s}`))
  if (d.constant !== 0 || terms.length === 0) terms.push(`${d.constant}`)
  return terms.join(' + ')
}

// Numbers within bounds, digit by digit. Bounds are taken on a grid of decimals short enough that no two of them are the
// same double: then what is written compares as it is read.
import { KvasirError } from '../../errors.ts'
import { Automaton } from '../automaton.ts'
import { INTEGER_DIGITS, type Json } from '../json.ts'
import {
  choice,
  EMPTY,
  NOTHING,
  type Node,
  oneOf,
  optional,
  type Rules,
  repeat,
  sequence,
  set,
  text,
} from '../rules.ts'

export interface NumberBounds {
  integer: boolean
  min: number
  max: number
  /** The bound itself is left out. */
  above: boolean
  below: boolean
  multiplesOf: number[]
}

const FRACTION_DIGITS = 6
const MOST_MULTIPLES = 2000

export function numberNode(bounds: NumberBounds, json: Json, rules: Rules, path: string): Node {
  const { multiplesOf } = bounds
  const unbounded = bounds.min === -Infinity && bounds.max === Infinity
  if (multiplesOf.length === 0 && unbounded) return bounds.integer ? json.integer() : json.number()
  const integer = bounds.integer || multiplesOf.length > 0
  const range = onGrid({ ...bounds, integer })
  if (range.low > range.high) return NOTHING
  const node = within(range)
  if (multiplesOf.length === 0) return node
  const step = multiplesOf.map((multiple) => wholeStep(multiple, path)).reduce(lcm)
  if (step === 1n) return node
  return Automaton.of(node, path).intersect(multiples(step, path), path).node(rules, `multiples ${path}`, set)
}

interface Grid {
  /** Units of 10^−digits. */
  low: bigint
  high: bigint
  digits: number
}

function onGrid({ integer, min, max, above, below }: NumberBounds): Grid {
  const sizes = [min, max].filter(Number.isFinite).map((bound) => Math.ceil(Math.log10(Math.abs(bound) + 1)))
  const open = min === -Infinity || max === Infinity
  const whole = Math.max(open ? INTEGER_DIGITS - FRACTION_DIGITS : 1, ...sizes)
  const digits = integer ? 0 : Math.max(0, Math.min(FRACTION_DIGITS + 4, INTEGER_DIGITS - whole))
  const most = 10n ** BigInt(Math.max(integer ? INTEGER_DIGITS : whole, whole)) * 10n ** BigInt(digits) - 1n
  return {
    low: min === -Infinity ? -most : scaled(min, digits, above ? 'above' : 'from'),
    high: max === Infinity ? most : -scaled(-max, digits, below ? 'above' : 'from'),
    digits,
  }
}

/** The least whole number of units that is at least the bound, or above it. */
function scaled(bound: number, digits: number, side: 'from' | 'above'): bigint {
  const [mantissa, exponent = '0'] = Math.abs(bound).toString().split('e') as [string, string?]
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?]
  const shift = Number(exponent) - fraction.length + digits
  const value = BigInt(whole + fraction) * (bound < 0 ? -1n : 1n)
  if (shift >= 0) return value * 10n ** BigInt(shift) + (side === 'above' ? 1n : 0n)
  const unit = 10n ** BigInt(-shift)
  const floor = value / unit - (value % unit < 0n ? 1n : 0n)
  const exact = floor * unit === value
  return exact && side === 'from' ? floor : floor + 1n
}

function within({ low, high, digits }: Grid): Node {
  const negative = low < 0n ? magnitudes(high < 0n ? -high : 1n, -low, digits) : NOTHING
  const positive = high >= 0n ? magnitudes(low > 0n ? low : 0n, high, digits) : NOTHING
  return choice(positive, sequence(text('-'), negative))
}

function magnitudes(low: bigint, high: bigint, digits: number): Node {
  if (low > high) return NOTHING
  const unit = 10n ** BigInt(digits)
  const [lowWhole, highWhole] = [low / unit, high / unit]
  const lowPart = (low % unit).toString().padStart(digits, '0')
  const highPart = (high % unit).toString().padStart(digits, '0')
  if (digits === 0) return integers(low, high)
  if (lowWhole === highWhole) return sequence(text(lowWhole.toString()), fractions(lowPart, highPart))
  return choice(
    sequence(text(lowWhole.toString()), fractions(lowPart, '9'.repeat(digits))),
    sequence(integers(lowWhole + 1n, highWhole - 1n), fractions('0'.repeat(digits), '9'.repeat(digits))),
    sequence(text(highWhole.toString()), fractions('0'.repeat(digits), highPart)),
  )
}

function integers(low: bigint, high: bigint): Node {
  const options: Node[] = []
  for (let length = low.toString().length; length <= high.toString().length; length++) {
    const from = length === 1 ? 0n : 10n ** BigInt(length - 1)
    const to = 10n ** BigInt(length) - 1n
    const [first, last] = [low > from ? low : from, high < to ? high : to]
    if (first <= last) options.push(between(first.toString(), last.toString(), false))
  }
  return choice(...options)
}

/** Nothing, or a point and digits; as many as `low` has at the most. */
function fractions(low: string, high: string): Node {
  const zero = /^0*$/.test(low)
  const some = sequence(text('.'), between(low, high, true))
  return zero ? optional(some) : some
}

/** Digits from `low` to `high`, which are of one length; `shorter`: zeros at the end may be left out, but not all digits. */
function between(low: string, high: string, shorter: boolean): Node {
  const zero = /^0*$/.test(low)
  if (zero && /^9*$/.test(high)) return repeat(digit(0, 9), shorter ? 1 : low.length, low.length)
  const [first, last] = [Number(low[0]), Number(high[0])]
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  const [zeros, nines] = ['0'.repeat(lowRest.length), '9'.repeat(lowRest.length)]
  const rest = (from: string, to: string): Node => {
    if (from === '') return EMPTY
    const more = between(from, to, shorter)
    return shorter && /^0*$/.test(from) ? optional(more) : more
  }
  if (first === last) return sequence(digit(first, first), rest(lowRest, highRest))
  return choice(
    sequence(digit(first, first), rest(lowRest, nines)),
    first + 1 < last ? sequence(digit(first + 1, last - 1), rest(zeros, nines)) : NOTHING,
    sequence(digit(last, last), rest(zeros, highRest)),
  )
}

const digit = (from: number, to: number): Node => oneOf('0123456789'.slice(from, to + 1))

/** Whole numbers that are multiples of it, and are seen as such by those who divide doubles. */
function wholeStep(multiple: number, path: string): bigint {
  if (!(multiple > 0)) throw new KvasirError('KV_ARGUMENT', `${path}: expected a number above 0, found ${multiple}`)
  const digits = 10
  const units = scaled(multiple, digits, 'from')
  const step = lcm(units, 10n ** BigInt(digits)) / 10n ** BigInt(digits)
  const seen = Array.from({ length: 1000 }, (_, i) => Number(step) * (i * i + i)).every((x) =>
    Number.isInteger(x / multiple),
  )
  if (seen && step <= BigInt(MOST_MULTIPLES)) return step
  throw new KvasirError('KV_UNSUPPORTED', `${path}: multiples of ${multiple} cannot be enforced`)
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b))
const lcm = (a: bigint, b: bigint): bigint => (a / gcd(a, b)) * b

/** Decimal numbers that `step` divides: a state for each remainder. */
function multiples(step: bigint, path: string): Automaton {
  const count = Number(step)
  return Automaton.machine(path, count, (remainder) => ({
    accepts: remainder === 0,
    moves: [
      [0x2d, 0x2d, 0] as const,
      ...Array.from({ length: 10 }, (_, d) => [0x30 + d, 0x30 + d, (remainder * 10 + d) % count] as const),
    ],
  }))
}

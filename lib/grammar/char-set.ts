// Sets of code points as sorted ranges, and as the byte sequences that UTF-8 writes them in.

/** Pairs [first, last], ascending, with gaps between them. */
export type CharSet = readonly (readonly [number, number])[]

const LAST = 0x10ffff

/** A set of ranges in any order. Surrogates are no characters and are left out. */
export function charSet(ranges: Iterable<readonly [number, number]>): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const [first, last] of sorted) {
    const top = merged.at(-1)
    if (top && first <= top[1] + 1) top[1] = Math.max(top[1], last)
    else merged.push([first, last])
  }
  return merged.flatMap(([first, last]): [number, number][] => {
    if (last < 0xd800 || first > 0xdfff) return [[first, last]]
    const parts: [number, number][] = []
    if (first < 0xd800) parts.push([first, 0xd7ff])
    if (last > 0xdfff) parts.push([0xe000, last])
    return parts
  })
}

export const ANY: CharSet = charSet([[0, LAST]])

export const chars = (text: string): CharSet =>
  charSet(Array.from(text, (char) => [char.codePointAt(0)!, char.codePointAt(0)!] as const))

export const union = (...sets: CharSet[]): CharSet => charSet(sets.flat())

export function complement(set: CharSet): CharSet {
  const ranges: [number, number][] = []
  let next = 0
  for (const [first, last] of set) {
    if (first > next) ranges.push([next, first - 1])
    next = last + 1
  }
  if (next <= LAST) ranges.push([next, LAST])
  return charSet(ranges)
}

export function intersection(a: CharSet, b: CharSet): CharSet {
  const both: [number, number][] = []
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    const [first, last] = [Math.max(a[i]![0], b[k]![0]), Math.min(a[i]![1], b[k]![1])]
    if (first <= last) both.push([first, last])
    if (a[i]![1] < b[k]![1]) i++
    else k++
  }
  return both
}

export const includes = (set: CharSet, code: number): boolean =>
  set.some(([first, last]) => code >= first && code <= last)

/** Byte ranges [low, high] in sequence: together, they are what UTF-8 writes for the set. */
export function utf8Sequences(set: CharSet): [number, number][][] {
  const sequences: [number, number][][] = []
  for (const [first, last] of set)
    for (const [low, high] of [
      [0, 0x7f],
      [0x80, 0x7ff],
      [0x800, 0xffff],
      [0x10000, LAST],
    ] as const)
      if (first <= high && last >= low)
        split(encoded(Math.max(first, low)), encoded(Math.min(last, high)), [], sequences)
  return sequences
}

// From `low` to `high`, of equal length, in as few sequences of byte ranges as it takes.
function split(low: number[], high: number[], prefix: [number, number][], out: [number, number][][]): void {
  const [l, h] = [low[0]!, high[0]!]
  if (low.length === 1) {
    out.push([...prefix, [l, h]])
    return
  }
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  if (l === h) {
    split(lowRest, highRest, [...prefix, [l, l]], out)
    return
  }
  const bottom = lowRest.map(() => 0x80)
  const top = lowRest.map(() => 0xbf)
  const fromBottom = lowRest.every((byte) => byte === 0x80)
  const toTop = highRest.every((byte) => byte === 0xbf)
  if (!fromBottom) split(lowRest, top, [...prefix, [l, l]], out)
  const [from, to] = [fromBottom ? l : l + 1, toTop ? h : h - 1]
  if (from <= to) out.push([...prefix, [from, to], ...top.map((): [number, number] => [0x80, 0xbf])])
  if (!toTop) split(bottom, highRest, [...prefix, [h, h]], out)
}

function encoded(code: number): number[] {
  if (code < 0x80) return [code]
  const tail = (shift: number) => 0x80 | ((code >> shift) & 0x3f)
  if (code < 0x800) return [0xc0 | (code >> 6), tail(0)]
  if (code < 0x10000) return [0xe0 | (code >> 12), tail(6), tail(0)]
  return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)]
}

// \p{…}: asked of this JavaScript's own regular expressions, once each.
import { type CharSet, charSet } from './char-set.ts'

const BLOCK = 0x2000
const known = new Map<string, CharSet>()

/** Loads the properties that a source of regular expressions names; in turns, for each looks at every character. */
export function* loadingProperties(source: string): Generator<void, void> {
  for (const [, name] of source.matchAll(/\\{1,2}[pP]\{([\w=]+)\}/g)) {
    if (known.has(name!)) continue
    let matcher: RegExp
    try {
      matcher = new RegExp(`\\p{${name}}+`, 'gu')
    } catch {
      continue // the reader of the expression says what is wrong
    }
    const ranges: [number, number][] = []
    for (let start = 0; start < 0x110000; start += BLOCK) {
      const codes = Array.from({ length: BLOCK }, (_, i) => start + i).filter((code) => code < 0xd800 || code > 0xdfff)
      for (const [run] of String.fromCodePoint(...codes).matchAll(matcher)) {
        const chars = Array.from(run)
        ranges.push([chars[0]!.codePointAt(0)!, chars.at(-1)!.codePointAt(0)!])
      }
      yield
    }
    known.set(name!, charSet(ranges))
  }
}

/** Characters with a property, as in \p{name}. */
export function propertySet(name: string): CharSet {
  if (!known.has(name)) for (const _ of loadingProperties(`\\p{${name}}`));
  return known.get(name)!
}

// What others wrote stays text. A message may hold what looks like a control token ("<|im_end|>"); if it were read as one,
// whoever wrote the message could end his turn and speak as the system. So a mark is put in front of each such place
// before the template is filled in, and the tokenizer takes the marks away and reads no control token there. A character
// that occurs nowhere else is the mark: templates carry it along, whatever they cut, trim or join. Where no such place
// is, nothing is changed.

/** Returns values with marks in their strings, and the mark; undefined where none was needed. */
export type Guard = <T>(values: T) => { values: T; mark: string } | undefined

const PRIVATE_USE = { first: 0xe000, last: 0xf8ff }

export function guardAgainst(controlTokens: readonly string[]): Guard {
  const tokens = controlTokens.filter((token) => token !== '')
  if (tokens.length === 0) return () => undefined
  // Every place is looked at, for tokens may overlap.
  const looksLikeOne = new RegExp(`(?=${tokens.map(literal).join('|')})`, 'g')
  const longest = Math.max(...tokens.map((token) => token.length))
  const marked = (text: string, mark: string): string => {
    const places = Array.from(text.matchAll(looksLikeOne), ({ index }) => index)
    // What begins as a token at the very end may be completed by what the template writes next.
    for (let place = Math.max(0, text.length - longest + 1); place < text.length; place++)
      if (tokens.some((token) => token.startsWith(text.slice(place)))) places.push(place)
    const cuts = [...new Set(places)].sort((a, b) => a - b)
    return cuts.length === 0
      ? text
      : cuts.map((cut, i) => text.slice(cuts[i - 1] ?? 0, cut) + mark).join('') + text.slice(cuts.at(-1))
  }
  return (values) => {
    let suspicious = false
    const used = new Set<string>()
    strings(values, (text) => {
      if (marked(text, '\0') !== text) suspicious = true
      for (const character of text) if (isPrivate(character)) used.add(character)
      return text
    })
    if (!suspicious) return undefined
    let code = PRIVATE_USE.first
    while (used.has(String.fromCharCode(code)) && code < PRIVATE_USE.last) code++
    const mark = String.fromCharCode(code)
    return { values: strings(values, (text) => marked(text, mark)), mark }
  }
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

function isPrivate(character: string): boolean {
  const code = character.charCodeAt(0)
  return code >= PRIVATE_USE.first && code <= PRIVATE_USE.last
}

/** A copy of a JSON-like value with each string in it, keys too, as `change` gives it back. */
function strings<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => strings(item, change)) as T
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), strings(item, change)])) as T
}

// Emphasis, code, links: text to nodes. Every string becomes a text node; a link goes to http, https or mailto only, and a
// picture is a link, for the page asks nobody for anything but its own server.
import { h } from './dom.ts'

const DEEPEST = 8
const LONGEST_LINK = 2000

const MARKS: Record<string, 'strong' | 'em' | 'del'> = {
  '***': 'strong',
  ___: 'strong',
  '**': 'strong',
  __: 'strong',
  '*': 'em',
  _: 'em',
  '~~': 'del',
}

export function inline(text: string, into: Node, depth = 0): void {
  const hopeless = new Set<string>() // marks that nothing closes from here on
  let plain = ''
  const flush = () => {
    if (plain) into.appendChild(document.createTextNode(plain))
    plain = ''
  }
  const put = (element: Node) => {
    flush()
    into.appendChild(element)
  }
  for (let at = 0; at < text.length; ) {
    const char = text[at]!
    if (char === '\\' && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? '')) {
      plain += text[at + 1]
      at += 2
    } else if (char === '\n') {
      plain = plain.trimEnd()
      put(h('br'))
      at++
    } else if (char === '`') {
      const run = /^`+/.exec(text.slice(at, at + 64))![0]
      const end = hopeless.has(run) ? -1 : closingTicks(text, at + run.length, run)
      if (end < 0) {
        hopeless.add(run)
        plain += run
        at += run.length
      } else {
        const code = text.slice(at + run.length, end).replace(/\n/g, ' ')
        put(h('code', {}, /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code))
        at = end + run.length
      }
    } else if (char === '[' || (char === '!' && text[at + 1] === '[')) {
      const link = linkAt(text, char === '!' ? at + 1 : at)
      if (!link) {
        plain += char
        at++
        continue
      }
      put(anchor(link.url, link.label, depth))
      at = link.end
    } else if (char === '<' || (char === 'h' && !/\w/.test(text[at - 1] ?? ''))) {
      const url = /^<?(https?:\/\/[^\s<>]*[^\s<>.,:;"'`)\]}!?*_])>?/.exec(text.slice(at, at + LONGEST_LINK))
      if (!url || (char === '<') !== url[0].endsWith('>')) {
        plain += char
        at++
        continue
      }
      put(anchor(url[1]!, url[1]!, DEEPEST))
      at += url[0].length
    } else if ((char === '*' || char === '_' || char === '~') && depth < DEEPEST) {
      const run = /^(\*{1,3}|_{1,3}|~~?)/.exec(text.slice(at, at + 3))![0]
      const end = opens(text, at, run) && !hopeless.has(run) ? closingMark(text, at + run.length, run) : -1
      if (end < 0) {
        if (opens(text, at, run)) hopeless.add(run)
        plain += run
        at += run.length
        continue
      }
      const element = h(MARKS[run]!)
      const target = run.length === 3 ? element.appendChild(h('em')) : element
      inline(text.slice(at + run.length, end), target, depth + 1)
      put(element)
      at = end + run.length
    } else {
      // As far as nothing above can begin.
      const next = text.slice(at + 1).search(/[\\\n`[!<h*_~]/)
      const end = next < 0 ? text.length : at + 1 + next
      plain += text.slice(at, end)
      at = end
    }
  }
  flush()
}

const opens = (text: string, at: number, run: string): boolean => {
  const after = text[at + run.length]
  if (!MARKS[run] || after === undefined || /\s/.test(after)) return false
  return run[0] !== '_' || !/[\p{L}\p{N}]/u.test(text[at - 1] ?? '')
}

function closingMark(text: string, from: number, run: string): number {
  for (let at = from + 1; at < text.length; at++) {
    at = text.indexOf(run, at)
    if (at < 0) return -1
    const same = run[0]!
    const longer = text[at - 1] === same || text[at + run.length] === same
    if (longer) {
      // Part of a longer run: it closes only where the inner mark closes with it, as in **a *b***.
      let end = at
      while (text[end] === same) end++
      if (end - at > run.length && !/\s/.test(text[at - 1]!) && end - at === 3) return end - run.length
      at = end
      continue
    }
    if (text[at - 1] === '\\' || /\s/.test(text[at - 1]!)) continue
    if (same === '_' && /[\p{L}\p{N}]/u.test(text[at + run.length] ?? '')) continue
    return at
  }
  return -1
}

function closingTicks(text: string, from: number, run: string): number {
  for (let at = text.indexOf(run, from); at >= 0; at = text.indexOf(run, at)) {
    let end = at
    while (text[end] === '`') end++
    if (end - at === run.length) return at
    at = end
  }
  return -1
}

function linkAt(text: string, at: number): { label: string; url: string; end: number } | undefined {
  const match =
    /^\[((?:[^[\]\\\n]|\\.|\[[^[\]\n]*\])*)\]\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+["'(][^"'\n]*["')])?\s*\)/.exec(
      text.slice(at, at + LONGEST_LINK),
    )
  return match ? { label: match[1]!, url: match[2]!, end: at + match[0].length } : undefined
}

function anchor(url: string, label: string, depth: number): Node {
  const element = /^(https?:|mailto:)/i.test(url)
    ? h('a', { href: url, target: '_blank', rel: 'noopener noreferrer nofollow' })
    : h('span')
  if (depth < DEEPEST && label !== url) inline(label || url, element, DEEPEST)
  else element.append(label || url)
  return element
}

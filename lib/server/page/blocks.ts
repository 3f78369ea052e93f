// Markdown's blocks, as models write them: CommonMark's common part and GitHub's tables, lenient where models are.
// Work is linear in the text, and nesting is bounded, whatever the text is.

export type Block =
  | { type: 'paragraph'; text: string }
  | { type: 'heading'; level: number; text: string }
  | { type: 'code'; language: string; text: string }
  | { type: 'quote'; blocks: Block[] }
  | { type: 'list'; start: number | undefined; items: Block[][]; loose: boolean }
  | { type: 'table'; align: string[]; rows: string[][] }
  | { type: 'rule' }

/** A block of the outermost level, and the text that it is made of. */
export interface Source {
  raw: string
  block: Block
}

const DEEPEST = 8

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)(?:[ \t][^`]*)?$/
const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)(.*)$/
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/
const QUOTE = /^ {0,3}> ?/
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/
const DELIMITERS = /^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*$/

const blank = (line: string | undefined): boolean => line === undefined || line.trim() === ''

export function parse(text: string): Source[] {
  const sources: Source[] = []
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  let from = 0
  for (const { block, end } of blocksOf(lines, 0)) {
    sources.push({ raw: lines.slice(from, end).join('\n'), block })
    from = end
  }
  return sources
}

function* blocksOf(lines: string[], depth: number): Generator<{ block: Block; end: number }> {
  for (let at = 0; at < lines.length; ) {
    if (blank(lines[at])) {
      at++
      continue
    }
    const found = block(lines, at, depth)
    at = found.end
    yield found
  }
}

const inner = (lines: string[], depth: number): Block[] => [...blocksOf(lines, depth + 1)].map(({ block }) => block)

function block(lines: string[], at: number, depth: number): { block: Block; end: number } {
  const line = lines[at]!
  const fence = FENCE.exec(line)
  if (fence) return code(lines, at, fence)
  const heading = HEADING.exec(line)
  if (heading) return { block: { type: 'heading', level: heading[1]!.length, text: title(heading[2]!) }, end: at + 1 }
  if (RULE.test(line)) return { block: { type: 'rule' }, end: at + 1 }
  if (depth < DEEPEST) {
    if (QUOTE.test(line)) return quote(lines, at, depth)
    if (ITEM.test(line)) return list(lines, at, depth)
  }
  if (line.includes('|') && DELIMITERS.test(lines[at + 1] ?? '')) return table(lines, at)
  return paragraph(lines, at)
}

// Without the #s that may close it.
const title = (text: string): string =>
  (text.trim().endsWith('#') ? text.trim().replace(/(^|[ \t])#+$/, '') : text).trim()

function code(lines: string[], at: number, [opening, fence, language]: string[]): { block: Block; end: number } {
  const indent = /^ */.exec(opening!)![0].length
  const closing = new RegExp(`^ {0,3}${fence![0] === '`' ? '`' : '~'}{${fence!.length},}[ \\t]*$`)
  let end = at + 1
  while (end < lines.length && !closing.test(lines[end]!)) end++
  const text = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent, /^ */.exec(line)![0].length)))
  return {
    block: { type: 'code', language: language ?? '', text: text.join('\n') },
    end: Math.min(end + 1, lines.length),
  }
}

function quote(lines: string[], at: number, depth: number): { block: Block; end: number } {
  let end = at
  while (end < lines.length && QUOTE.test(lines[end]!)) end++
  const text = lines.slice(at, end).map((line) => line.replace(QUOTE, ''))
  return { block: { type: 'quote', blocks: inner(text, depth) }, end }
}

function list(lines: string[], at: number, depth: number): { block: Block; end: number } {
  const [, margin, first] = ITEM.exec(lines[at]!) as unknown as [string, string, string]
  const ordered = /\d/.test(first)
  const items: Block[][] = []
  let loose = false
  let end = at
  for (;;) {
    const marker = ITEM.exec(lines[end] ?? '')
    if (!marker || /\d/.test(marker[2]!) !== ordered || marker[1]!.length >= margin.length + 2) break
    if (RULE.test(lines[end]!)) break
    const text = [lines[end]!.slice(marker[0].length)]
    const indent = Math.max(2, Math.min(marker[0].length, margin.length + 4))
    for (end++; end < lines.length; end++) {
      const line = lines[end]!
      const own = /^[ \t]*/.exec(line)![0].replace(/\t/g, '    ').length
      if (blank(line)) {
        // What follows a blank line belongs to the item only where it is indented.
        if (indentOf(nextLine(lines, end)) < margin.length + 2) break
        loose ||= !ITEM.test(nextLine(lines, end) ?? '')
        text.push('')
      } else if (own >= margin.length + 2) text.push(dedent(line, indent))
      else if (ITEM.test(line) || starts(line)) break
      else text.push(line)
    }
    items.push(inner(text, depth))
    const next = nextLine(lines, end)
    if (blank(lines[end]) && next !== undefined && ITEM.test(next)) {
      const gap = lines.indexOf(next, end)
      const again = ITEM.exec(next)!
      if (/\d/.test(again[2]!) === ordered && again[1]!.length < margin.length + 2) {
        end = gap
        loose = true
      }
    }
  }
  return { block: { type: 'list', start: ordered ? Number.parseInt(first, 10) : undefined, items, loose }, end }
}

const nextLine = (lines: string[], at: number): string | undefined => {
  while (at < lines.length && blank(lines[at])) at++
  return lines[at]
}

const indentOf = (line: string | undefined): number =>
  line === undefined ? -1 : /^[ \t]*/.exec(line)![0].replace(/\t/g, '    ').length

const dedent = (line: string, indent: number): string => {
  const expanded = line.replace(/^[ \t]+/, (space) => space.replace(/\t/g, '    '))
  return expanded.slice(Math.min(indent, indentOf(expanded)))
}

function table(lines: string[], at: number): { block: Block; end: number } {
  const align = cells(lines[at + 1]!).map((cell) =>
    cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'right') : 'left',
  )
  let end = at + 2
  while (end < lines.length && !blank(lines[end]) && !starts(lines[end]!)) end++
  const rows = [lines[at]!, ...lines.slice(at + 2, end)].map((line) => cells(line).slice(0, align.length))
  return { block: { type: 'table', align, rows }, end }
}

const cells = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/\\\|/g, '|'))

function paragraph(lines: string[], at: number): { block: Block; end: number } {
  let end = at + 1
  while (end < lines.length && !blank(lines[end]) && !starts(lines[end]!)) {
    const item = ITEM.exec(lines[end]!)
    // A list may interrupt a paragraph; a number alone, as in "… in\n1984. It was", may not.
    if (item && item[0].length < lines[end]!.length && (/^[-*+]$/.test(item[2]!) || /^1[.)]$/.test(item[2]!))) break
    end++
  }
  const text = lines.slice(at, end).map((line) => line.trimStart())
  return { block: { type: 'paragraph', text: text.join('\n').trimEnd() }, end }
}

const starts = (line: string): boolean => FENCE.test(line) || RULE.test(line) || QUOTE.test(line) || HEADING.test(line)

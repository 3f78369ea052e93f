// Tells plain text from what a model puts between tags, while it comes in pieces: <tool_call>…</tool_call> and
// <think>…</think>. What may be the beginning of a tag is held back until it is one or is not.

export type Kind = 'text' | 'think' | 'tool_call'

export interface Section {
  kind: Kind
  text: string
  /** The closing tag was found; text that goes on in the next section has none. */
  closed: boolean
}

const TAGS: readonly Kind[] = ['think', 'tool_call']

export class TaggedText {
  private kind: Kind = 'text'
  private held = ''

  /** What became certain with this piece, in order. */
  push(piece: string): Section[] {
    const sections: Section[] = []
    let rest = this.held + piece
    for (;;) {
      const marks = this.kind === 'text' ? TAGS.map((tag) => `<${tag}>`) : [`</${this.kind}>`]
      const found = marks.map((mark) => rest.indexOf(mark)).filter((at) => at >= 0)
      if (found.length === 0) {
        const keep = Math.max(...marks.map((mark) => overlap(rest, mark)))
        this.held = rest.slice(rest.length - keep)
        rest = rest.slice(0, rest.length - keep)
        if (rest) sections.push({ kind: this.kind, text: rest, closed: false })
        return sections
      }
      const at = Math.min(...found)
      const mark = marks.find((candidate) => rest.startsWith(candidate, at))!
      const inside = this.kind !== 'text'
      if (at > 0 || inside) sections.push({ kind: this.kind, text: rest.slice(0, at), closed: inside })
      this.kind = inside ? 'text' : TAGS[marks.indexOf(mark)]!
      rest = rest.slice(at + mark.length)
    }
  }

  /** What was held back, when no more text comes. */
  flush(): Section[] {
    const text = this.held
    this.held = ''
    return text ? [{ kind: this.kind, text, closed: false }] : []
  }
}

// Length of the longest end of `text` that begins `mark`.
function overlap(text: string, mark: string): number {
  for (let n = Math.min(mark.length - 1, text.length); n > 0; n--)
    if (mark.startsWith(text.slice(text.length - n))) return n
  return 0
}

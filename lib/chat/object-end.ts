// Finds the end of a JSON object in text that comes in pieces.

export class ObjectEnd {
  private depth = 0
  private inString = false
  private escaped = false

  /** Characters of `text` up to the end of the object, or up to a tag in it, which is no JSON; −1 while it goes on. */
  find(text: string): number {
    for (let i = 0; i < text.length; i++) {
      const char = text[i]!
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (char === '\\') this.escaped = true
        else if (char === '"') this.inString = false
      } else if (char === '"') this.inString = true
      else if (char === '<') return i
      else if (char === '{') this.depth++
      else if (char === '}' && --this.depth === 0) return i + 1
    }
    return -1
  }
}

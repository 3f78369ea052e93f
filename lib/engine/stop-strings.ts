// Finds stop strings in text that comes in pieces, and holds back what may be the beginning of one: no part of a stop
// string ever reaches the reader.

export class StopStrings {
  private held = ''
  /** A stop string was found; everything after it is dropped. */
  matched = false

  constructor(private readonly stops: readonly string[]) {}

  /** The text that can be shown now. */
  push(text: string): string {
    if (this.stops.length === 0) return text
    if (this.matched) return ''
    const all = this.held + text
    const end = this.find(all)
    if (end >= 0) {
      this.matched = true
      this.held = ''
      return all.slice(0, end)
    }
    const keep = this.unfinished(all)
    this.held = all.slice(all.length - keep)
    return all.slice(0, all.length - keep)
  }

  /** What was held back, when no more text comes. */
  flush(): string {
    const rest = this.held
    this.held = ''
    return rest
  }

  // Where the earliest stop string begins, or −1.
  private find(text: string): number {
    let earliest = -1
    for (const stop of this.stops) {
      const at = text.indexOf(stop)
      if (at >= 0 && (earliest < 0 || at < earliest)) earliest = at
    }
    return earliest
  }

  // Length of the longest end of `text` that begins a stop string.
  private unfinished(text: string): number {
    let longest = 0
    for (const stop of this.stops)
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--)
        if (stop.startsWith(text.slice(text.length - n))) longest = n
    return longest
  }
}

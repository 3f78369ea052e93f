// Reads an answer to screen readers sentence by sentence as it comes; token by token it could not be followed.

export class Speaker {
  private said = 0

  constructor(private readonly region: HTMLElement) {}

  /** The answer so far. */
  say(text: string): void {
    if (text.length < this.said) this.said = 0
    const end = lastEnd(text)
    if (end > this.said) this.put(text.slice(this.said, end))
    this.said = Math.max(this.said, end)
  }

  /** The answer is complete. */
  end(text: string): void {
    if (text.length > this.said) this.put(text.slice(this.said))
    this.said = 0
  }

  private put(text: string): void {
    const line = document.createElement('p')
    line.textContent = text.replace(/[#*_`>|]+/g, ' ').trim()
    this.region.append(line)
    while (this.region.childElementCount > 3) this.region.firstElementChild!.remove()
  }
}

const lastEnd = (text: string): number => {
  const end = Math.max(...['. ', '! ', '? ', '\n'].map((mark) => text.lastIndexOf(mark)))
  return end < 0 ? 0 : end + 1
}

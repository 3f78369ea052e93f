// A step gives every stream its token at the same moment. Writing hundreds of them in one go would keep the event loop for
// milliseconds, so a few are written in each of its turns.

const AT_ONCE = 24

export class Pace {
  private left = AT_ONCE // of this turn
  private armed = false
  private waiting: (() => void)[] = []

  /** Gives a promise when this turn of the event loop has done enough; it resolves in a later one. */
  turn(): Promise<void> | undefined {
    this.arm()
    if (this.left > 0) {
      this.left--
      return undefined
    }
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private arm(): void {
    if (this.armed) return
    this.armed = true
    setImmediate(() => {
      this.armed = false
      const next = this.waiting.splice(0, AT_ONCE)
      this.left = AT_ONCE - next.length
      if (next.length > 0) this.arm()
      for (const resume of next) resume()
    })
  }
}

// Things that come in crowds, a few in each turn of the event loop: a step gives hundreds of streams their token at the same
// moment, and hundreds of requests arrive together. Done in one go they would keep the loop for many milliseconds.

export class Pace {
  private left: number // of this turn
  private armed = false
  private waiting: (() => void)[] = []

  constructor(private readonly atOnce: number) {
    this.left = atOnce
  }

  /** Gives a promise when this turn of the event loop has done enough; it resolves in a later one. */
  turn(): Promise<void> | undefined {
    this.arm()
    if (this.left > 0) {
      this.left--
      return undefined
    }
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Calls `task` in the next turn of the event loop that has room for it: never at once. */
  run(task: () => void): void {
    this.arm()
    this.waiting.push(task)
  }

  private arm(): void {
    if (this.armed) return
    this.armed = true
    setImmediate(() => {
      this.armed = false
      const next = this.waiting.splice(0, this.atOnce)
      this.left = this.atOnce - next.length
      if (next.length > 0) this.arm()
      for (const resume of next) resume()
    })
  }
}

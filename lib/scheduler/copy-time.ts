// How long it takes to copy pages out of the KV cache or back into it, learnt from the copies that have run.

const MEMORY = 0.9 // of what was known, after one more job
const SURPRISE = 4 // one slow job counts no more than so many times what was expected
const DOUBT = 0.99 // a copy that seemed too slow is tried again some day

export class CopyTime {
  private ms = 0 // of the jobs that ran, the older the less
  private pages = 0

  constructor(private guess: number) {}

  /** Milliseconds of a page. */
  get each(): number {
    return this.pages > 0 ? this.ms / this.pages : this.guess
  }

  observe(pages: number, ms: number): void {
    const most = this.pages > 0 ? SURPRISE * this.each * pages : Infinity
    this.ms = MEMORY * this.ms + Math.min(ms, most)
    this.pages = MEMORY * this.pages + pages
  }

  /** What a page takes, as far as one can say before one was copied. */
  suppose(ms: number): void {
    this.guess = ms
  }

  /** It was too slow to be worth it. */
  doubt(): void {
    this.ms *= DOUBT
    this.guess *= DOUBT
  }
}

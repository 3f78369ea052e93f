// Pages of the KV cache: which are free, and how many sequences hold each of the others. A page keeps the keys and
// values of 32 consecutive tokens in every layer (PagedAttention, arXiv 2309.06180); the bytes are on the device, here
// are only numbers.
import { KvasirError } from '../errors.ts'

export const PAGE_TOKENS = 32

/** Pages that hold `tokens` tokens. */
export const pagesFor = (tokens: number): number => Math.ceil(tokens / PAGE_TOKENS)

export class BlockAllocator {
  private readonly references: Uint16Array // [pages] holders; 0: free
  private readonly stack: Int32Array // the free pages, the next one on top
  private top: number

  constructor(readonly pages: number) {
    if (!Number.isInteger(pages) || pages < 1)
      throw new KvasirError('KV_ARGUMENT', `pages: expected a positive integer, found ${pages}`)
    this.references = new Uint16Array(pages)
    // Last freed, first used, from page 0 up: memory that was never needed is never touched.
    this.stack = Int32Array.from({ length: pages }, (_, i) => pages - 1 - i)
    this.top = pages
  }

  get free(): number {
    return this.top
  }

  /** A page with one holder. The caller has checked `free`. */
  allocate(): number {
    if (this.top === 0) throw new Error('block allocator: no page is free')
    const page = this.stack[--this.top]!
    this.references[page] = 1
    return page
  }

  share(page: number): void {
    if (this.references[page] === 0) throw new Error(`block allocator: page ${page} is free and cannot be shared`)
    this.references[page]!++
  }

  /** One holder less; the last one frees the page. */
  release(page: number): void {
    if (!this.references[page]) throw new Error(`block allocator: page ${page} is released twice`)
    if (--this.references[page]! === 0) this.stack[this.top++] = page
  }

  holders(page: number): number {
    return this.references[page]!
  }

  /** Throws unless every page is free or held by exactly the given tables. For tests, and for an idle engine. */
  check(held: Iterable<ArrayLike<number>>): void {
    const counts = new Uint16Array(this.pages)
    for (const pages of held) for (let i = 0; i < pages.length; i++) counts[pages[i]!]!++
    let owned = 0
    for (let page = 0; page < this.pages; page++) {
      if (counts[page] !== this.references[page])
        throw new Error(`page ${page}: ${counts[page]} holders found, ${this.references[page]} recorded`)
      if (counts[page]) owned++
    }
    const free = new Set(this.stack.subarray(0, this.top))
    if (free.size !== this.top || owned + this.top !== this.pages)
      throw new Error(`${this.pages} pages, but ${owned} owned and ${this.top} free (${free.size} of them distinct)`)
    for (const page of free) if (counts[page]) throw new Error(`page ${page} is free and owned`)
  }
}

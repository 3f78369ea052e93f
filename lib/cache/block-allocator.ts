// Pages of the KV cache. A page keeps the keys and values of 32 consecutive tokens in every layer (PagedAttention, arXiv
// 2309.06180); the bytes are on the device, here are only numbers. Every page is in one of four states:
//
//   free     nobody needs what it holds
//   owned    by one or more sequences
//   cached   by no sequence, but the prefix tree keeps it for the next one with the same beginning
//   retired  given back to the system, until resize() takes it back
//
// A cached page is as good as a free one: it is given out, longest unused first, when no page is free.
import { KvasirError } from '../errors.ts'

export const PAGE_TOKENS = 32

/** What states() says of a retired page. */
export const RETIRED = 255

/** Pages that hold `tokens` tokens. */
export const pagesFor = (tokens: number): number => Math.ceil(tokens / PAGE_TOKENS)

export class BlockAllocator {
  /** Called when a cached page is given to somebody else. */
  onEvict: (page: number) => void = () => {}
  private readonly references: Uint16Array // [pages] holders
  private readonly keeps: Uint8Array // [pages] 1: the prefix tree keeps it
  private readonly stack: Int32Array // the free pages, the next one on top
  private top: number
  // The cached pages as a ring, longest unused first; its head is entry `pages`.
  private readonly newer: Int32Array
  private readonly older: Int32Array
  private idle = 0
  private readonly touched: Uint8Array // [pages] 1: it was given out since it last retired, so it holds memory
  private held = 0 // pages that do
  private readonly retired: number[] = []
  private claims = 0 // of the free pages, how many promise() gave away
  private owed = 0 // pages that are to retire as soon as their holders let go; while there are any, none is free

  constructor(readonly pages: number) {
    if (!Number.isInteger(pages) || pages < 1)
      throw new KvasirError('KV_ARGUMENT', `pages: expected a positive integer, found ${pages}`)
    this.references = new Uint16Array(pages)
    this.keeps = new Uint8Array(pages)
    this.touched = new Uint8Array(pages)
    // Last freed, first used, from page 0 up: memory that was never needed is never touched.
    this.stack = Int32Array.from({ length: pages }, (_, i) => pages - 1 - i)
    this.top = pages
    this.newer = new Int32Array(pages + 1).fill(pages)
    this.older = new Int32Array(pages + 1).fill(pages)
  }

  /** Pages that may be used: all, or as many as resize() said. */
  get budget(): number {
    return this.pages - this.retired.length - this.owed
  }

  /**
   * From now on there are `budget` pages, at most `pages`. Free pages retire first, then what the prefix tree keeps, then
   * owned pages when their holders let go.
   */
  resize(budget: number): void {
    for (let more = budget - this.budget; more > 0; more--) {
      if (this.owed > 0) this.owed--
      else this.stack[this.top++] = this.retired.pop()!
    }
    this.owed += Math.max(0, this.budget - budget)
    this.retire()
  }

  private retire(): void {
    while (this.owed > 0 && this.free > 0) {
      if (this.top > 0) this.put(this.stack[--this.top]!)
      else this.evict()
    }
  }

  /** Retired pages, the last one last. */
  get gone(): readonly number[] {
    return this.retired
  }

  /** Pages that can be had now: free or cached, and promised to nobody. */
  get free(): number {
    return this.top + this.idle - this.claims
  }

  /** So many of the free pages are for somebody who comes for them later. */
  promise(pages: number): void {
    this.claims += pages
  }

  /** The opposite: who has a claim takes so many pages now, or `forgoes` them. */
  redeem(pages: number, forgoes = false): void {
    this.claims -= pages
    if (forgoes) this.retire()
  }

  /** Pages that hold memory: all that were ever given out and have not retired since. */
  get resident(): number {
    return this.held
  }

  /** Pages that only the prefix tree keeps. */
  get cached(): number {
    return this.idle
  }

  /** A page with one holder. The caller has checked `free`. */
  allocate(): number {
    const page = this.top > 0 ? this.stack[--this.top]! : this.longestUnused()
    this.references[page] = 1
    this.held += 1 - this.touched[page]!
    this.touched[page] = 1
    return page
  }

  /** One holder more, of a page that is owned or cached. */
  share(page: number): void {
    if (this.references[page]! > 0) this.references[page]!++
    else if (this.keeps[page]) {
      this.unlink(page)
      this.references[page] = 1
    } else throw new Error(`block allocator: page ${page} is free and cannot be shared`)
  }

  /** One holder less; after the last one the page is free, or cached. */
  release(page: number): void {
    if (!this.references[page]) throw new Error(`block allocator: page ${page} is released twice`)
    if (--this.references[page]! > 0) return
    if (!this.keeps[page]) {
      this.put(page)
      return
    }
    this.link(page)
    this.retire() // unless it was lent from what is promised
  }

  /** An owned page stays cached when its last holder lets go. */
  keep(page: number): void {
    if (!this.references[page]) throw new Error(`block allocator: page ${page} has no holder and cannot be kept`)
    this.keeps[page] = 1
  }

  /** The opposite of keep(): a cached page is free at once. */
  forget(page: number): void {
    this.keeps[page] = 0
    if (this.references[page]! > 0) return
    this.unlink(page)
    this.put(page)
  }

  holders(page: number): number {
    return this.references[page]!
  }

  /** True when what the page holds belongs to more than one: it is copied before it is written. */
  shared(page: number): boolean {
    return this.references[page]! > 1 || this.keeps[page] === 1
  }

  /** Writes to states[page]: 0 free, 1 cached, n + 1 for n holders (at most 253), RETIRED. Looks at every page. */
  states(states: Uint8Array): void {
    const { references, keeps, pages } = this
    for (let page = 0; page < pages; page++) {
      const holders = references[page]!
      states[page] = holders > 0 ? Math.min(holders, 253) + 1 : keeps[page]!
    }
    for (const page of this.retired) states[page] = RETIRED
  }

  /**
   * Throws unless every page is free, cached, or held by exactly the given tables, and so many of the free are promised.
   * For tests, and an idle engine.
   */
  check(held: Iterable<ArrayLike<number>>, promised = 0): void {
    if (this.claims !== promised || this.free < 0)
      throw new Error(`${promised} pages promised, ${this.claims} recorded, ${this.top + this.idle} there`)
    const counts = new Uint16Array(this.pages)
    for (const pages of held) for (let i = 0; i < pages.length; i++) counts[pages[i]!]!++
    let owned = 0
    for (let page = 0; page < this.pages; page++) {
      if (counts[page] !== this.references[page])
        throw new Error(`page ${page}: ${counts[page]} holders found, ${this.references[page]} recorded`)
      if (counts[page]) owned++
    }
    const free = new Set(this.stack.subarray(0, this.top))
    const cached = new Set<number>()
    for (let page = this.newer[this.pages]!; page !== this.pages; page = this.newer[page]!) cached.add(page)
    const all = owned + this.top + this.idle + this.retired.length
    if (free.size !== this.top || cached.size !== this.idle || all !== this.pages || (this.owed > 0 && this.free > 0))
      throw new Error(
        `${this.pages} pages, but ${owned} owned, ${this.idle} cached (${cached.size} distinct), ` +
          `${this.top} free (${free.size} distinct), ${this.retired.length} retired and ${this.owed} owed`,
      )
    for (const page of this.retired)
      if (counts[page] || this.keeps[page]) throw new Error(`page ${page} is retired and owned`)
    for (const page of free) if (counts[page] || this.keeps[page]) throw new Error(`page ${page} is free and owned`)
    for (const page of cached)
      if (counts[page] || !this.keeps[page]) throw new Error(`page ${page} is cached and owned`)
  }

  // Nobody needs it any more. What was lent from the promised pages goes back to them first.
  private put(page: number): void {
    if (this.owed === 0 || this.free < 0) this.stack[this.top++] = page
    else {
      this.owed--
      this.retired.push(page)
      this.held -= this.touched[page]!
      this.touched[page] = 0
    }
  }

  private evict(): void {
    this.put(this.longestUnused())
  }

  // Takes a cached page from the prefix tree.
  private longestUnused(): number {
    if (this.idle === 0) throw new Error('block allocator: no page is free')
    const page = this.newer[this.pages]!
    this.onEvict(page)
    this.keeps[page] = 0
    this.unlink(page)
    return page
  }

  private link(page: number): void {
    const newest = this.older[this.pages]!
    this.newer[newest] = page
    this.older[page] = newest
    this.newer[page] = this.pages
    this.older[this.pages] = page
    this.idle++
  }

  private unlink(page: number): void {
    this.newer[this.older[page]!] = this.newer[page]!
    this.older[this.newer[page]!] = this.older[page]!
    this.idle--
  }
}

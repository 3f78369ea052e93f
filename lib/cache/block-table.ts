// The pages of one sequence, in the order of its tokens: token p lies in pages[p / 32] at offset p % 32. Tables may
// share pages; a shared page is copied before it is written.
import { type BlockAllocator, PAGE_TOKENS, pagesFor } from './block-allocator.ts'

export class BlockTable {
  pages = new Int32Array(4)
  count = 0

  /** Pages to be allocated before tokens [start, end) can be written. */
  missing(blocks: BlockAllocator, start: number, end: number): number {
    const more = Math.max(0, pagesFor(end) - this.count)
    return this.writesShared(blocks, start) ? more + 1 : more
  }

  /** Makes tokens [start, end) writable. Appends (from, to) to `copies` for a page that had to be copied. */
  reserve(blocks: BlockAllocator, start: number, end: number, copies: number[]): void {
    if (this.writesShared(blocks, start)) {
      const index = Math.floor(start / PAGE_TOKENS)
      const from = this.pages[index]!
      const to = blocks.allocate()
      blocks.release(from) // its bytes stay until the copy: copies come before anything else in a step
      this.pages[index] = to
      copies.push(from, to)
    }
    while (this.count < pagesFor(end)) this.push(blocks.allocate())
  }

  /** A table over the same first `tokens` tokens. */
  fork(blocks: BlockAllocator, tokens: number): BlockTable {
    const table = new BlockTable()
    for (let i = 0; i < pagesFor(tokens); i++) {
      blocks.share(this.pages[i]!)
      table.push(this.pages[i]!)
    }
    return table
  }

  /** Begins with pages that hold what this sequence would compute; the last of them may be half used. */
  adopt(blocks: BlockAllocator, pages: readonly number[]): void {
    for (const page of pages) {
      blocks.share(page)
      this.push(page)
    }
  }

  /** Lets the last page go. */
  pop(blocks: BlockAllocator): void {
    blocks.release(this.pages[--this.count]!)
  }

  /** Puts another page with the same tokens in the place of page `index`. */
  replace(blocks: BlockAllocator, index: number, page: number): void {
    blocks.share(page)
    blocks.release(this.pages[index]!)
    this.pages[index] = page
  }

  /** From the last page to the first: of what stays cached, the ends of texts are given up before their beginnings. */
  release(blocks: BlockAllocator): void {
    for (let i = this.count - 1; i >= 0; i--) blocks.release(this.pages[i]!)
    this.count = 0
  }

  list(): Int32Array {
    return this.pages.subarray(0, this.count)
  }

  /** The page that token `start` is written to, when nobody but this table and the prefix tree has it; else −1. */
  keptAt(blocks: BlockAllocator, start: number): number {
    const page = this.writesShared(blocks, start) ? this.pages[Math.floor(start / PAGE_TOKENS)]! : -1
    return page >= 0 && blocks.holders(page) === 1 ? page : -1
  }

  // Only a page that is half full, of a fork or of the prefix tree, can be shared and written: writing goes on at the
  // end.
  private writesShared(blocks: BlockAllocator, start: number): boolean {
    const index = Math.floor(start / PAGE_TOKENS)
    return index < this.count && blocks.shared(this.pages[index]!)
  }

  private push(page: number): void {
    if (this.count === this.pages.length) {
      const grown = new Int32Array(2 * this.count)
      grown.set(this.pages)
      this.pages = grown
    }
    this.pages[this.count++] = page
  }
}

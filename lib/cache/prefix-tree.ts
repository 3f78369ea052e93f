// The prefix cache: pages that hold the beginning of some earlier text, found again by their tokens. A radix tree
// (RadixAttention, arXiv 2312.07104) in steps of a page: a node is a page, its parent the page of the 32 tokens before,
// its children are sorted by their tokens. So one binary search finds the page that agrees longest, and a hit may end in
// the middle of it. Tokens are compared, not hashed: two different texts never share a page.
//
// A sequence that owns a page owns all pages before it, and gives its pages up from the last to the first; therefore a
// page that is given to somebody else (longest unused first) has no children any more.
import { type BlockAllocator, PAGE_TOKENS } from './block-allocator.ts'
import type { BlockTable } from './block-table.ts'

/** Where the ids of a sequence come from. */
export interface TokenSource {
  /** Writes the ids [start, end) to words[at …] and returns the place after them. */
  copyTokens(start: number, end: number, words: Int32Array, at: number): number
}

/** What the tree knows of a text: its first `tokens` tokens are in `pages`, of which the last may be half used. */
export interface Match {
  tokens: number
  pages: number[]
  /** Tokens after them that were in the tree once, and had to make room. */
  evicted: number
}

/** The pages that may follow one page, or begin a text. */
interface Siblings {
  pages: number[]
  /** The page before them; −1 at a root, which has a salt. */
  parent: number
  salt: string
}

export class PrefixTree {
  /** Changes whenever a match may turn out longer than before. */
  version = 0
  private readonly tokens: Int32Array // [pages × 32] what a page of the tree holds
  private readonly held: Uint8Array // [pages] how many of them; 0: not in the tree
  private readonly hash: Uint32Array // [pages] of all tokens up to its end
  private readonly level: (Siblings | undefined)[] // [pages] the list it is in
  private readonly children: (Siblings | undefined)[] // [pages]
  private readonly roots = new Map<string, Siblings>()
  private readonly ghosts: Uint32Array // hashes of pages that made room, to tell why a lookup missed
  private readonly window = new Int32Array(PAGE_TOKENS) // the tokens that are looked for
  private found = -1
  private common = 0

  constructor(private readonly blocks: BlockAllocator) {
    const { pages } = blocks
    this.tokens = new Int32Array(pages * PAGE_TOKENS)
    this.held = new Uint8Array(pages)
    this.hash = new Uint32Array(pages)
    this.level = new Array(pages).fill(undefined)
    this.children = new Array(pages).fill(undefined)
    this.ghosts = new Uint32Array(2 ** Math.ceil(Math.log2(4 * pages)))
    blocks.onEvict = (page) => {
      this.ghosts[this.hash[page]! & (this.ghosts.length - 1)] = this.hash[page]!
      this.remove(page)
    }
  }

  /** The longest beginning of the first `limit` tokens that is cached under `salt`. */
  match(source: TokenSource, salt: string, limit: number): Match {
    const match: Match = { tokens: 0, pages: [], evicted: 0 }
    let hash = seed(salt)
    for (let level = this.roots.get(salt); level && match.tokens < limit; ) {
      const want = this.read(source, match.tokens, limit)
      this.search(level, want)
      if (this.common === 0) break
      match.pages.push(this.found)
      match.tokens += this.common
      if (this.common < PAGE_TOKENS) break
      hash = this.hash[this.found]!
      level = this.children[this.found]
    }
    this.countEvicted(match, source, limit, hash)
    return match
  }

  /**
   * Keeps the pages of the first `tokens` tokens of a table. The sequence is over: where the tree has the same page
   * already, the table takes that one.
   */
  keep(source: TokenSource, salt: string, table: BlockTable, tokens: number): void {
    this.insert(source, salt, table, tokens, true)
  }

  /** Keeps the full pages of a sequence that goes on; its table stays as it is. */
  publish(source: TokenSource, salt: string, table: BlockTable, tokens: number): void {
    this.insert(source, salt, table, tokens - (tokens % PAGE_TOKENS), false)
  }

  /** Throws when the tree is not one, or keeps a page that nobody knows of. */
  check(): void {
    let seen = 0
    const visit = (level: Siblings) => {
      if (level.pages.length === 0) throw new Error('prefix tree: an empty level')
      for (const page of level.pages) {
        seen++
        if (this.level[page] !== level || !this.held[page])
          throw new Error(`prefix tree: page ${page} is not in its level`)
        const below = this.children[page]
        if (below && this.held[page]! < PAGE_TOKENS) throw new Error(`prefix tree: half page ${page} has children`)
        if (below && this.blocks.holders(page) === 0 && below.pages.some((child) => this.blocks.holders(child) > 0))
          throw new Error(`prefix tree: page ${page} is cached, but a page after it is owned`)
        if (below) visit(below)
      }
    }
    for (const root of this.roots.values()) visit(root)
    const known = this.held.reduce((sum, held) => sum + Math.min(held, 1), 0)
    if (known !== seen) throw new Error(`prefix tree: ${known} pages are kept, ${seen} can be reached`)
  }

  private insert(source: TokenSource, salt: string, table: BlockTable, tokens: number, over: boolean): void {
    if (tokens <= 0) return
    let level = this.root(salt)
    let hash = seed(salt)
    let replaced = false
    for (let i = 0; i * PAGE_TOKENS < tokens; i++) {
      const own = table.pages[i]!
      const want = this.read(source, i * PAGE_TOKENS, tokens)
      const place = this.search(level, want)
      let page = this.found
      if (this.common < want) {
        // A fork that goes on holds it too, but not the pages before it that took the place of ours: they could go first.
        if (replaced && this.blocks.holders(own) > 1) {
          if (level.pages.length === 0) this.children[level.parent] = undefined
          return
        }
        if (page >= 0 && this.common === this.held[page]) {
          this.drop(page, level, place - 1) // ours holds the same and more
          this.add(own, level, place - 1, want, hash)
        } else this.add(own, level, place, want, hash)
        page = own
      } else if (page !== own) {
        if (!over) return
        if (want < PAGE_TOKENS) return // a page with these tokens, and perhaps more, is there
        table.replace(this.blocks, i, page)
        replaced = true
      }
      if (want < PAGE_TOKENS) return
      hash = this.hash[page]!
      if ((i + 1) * PAGE_TOKENS < tokens) level = this.children[page] ??= { pages: [], parent: page, salt }
    }
  }

  private root(salt: string): Siblings {
    let root = this.roots.get(salt)
    if (!root) {
      root = { pages: [], parent: -1, salt }
      this.roots.set(salt, root)
    }
    return root
  }

  private add(page: number, level: Siblings, place: number, count: number, hash: number): void {
    this.blocks.keep(page)
    level.pages.splice(place, 0, page)
    this.level[page] = level
    this.tokens.set(this.window.subarray(0, count), page * PAGE_TOKENS)
    this.held[page] = count
    this.hash[page] = this.chain(hash, count)
    this.version++
  }

  private drop(page: number, level: Siblings, place: number): void {
    level.pages.splice(place, 1)
    this.clear(page)
    this.blocks.forget(page)
  }

  // The page is given to somebody else.
  private remove(page: number): void {
    const level = this.level[page]!
    level.pages.splice(level.pages.indexOf(page), 1)
    if (level.pages.length === 0) {
      if (level.parent < 0) this.roots.delete(level.salt)
      else this.children[level.parent] = undefined
    }
    if (this.children[page]) throw new Error(`prefix tree: page ${page} has children and cannot go`)
    this.clear(page)
  }

  private clear(page: number): void {
    this.held[page] = 0
    this.level[page] = undefined
  }

  private read(source: TokenSource, start: number, limit: number): number {
    const end = Math.min(start + PAGE_TOKENS, limit)
    source.copyTokens(start, end, this.window, 0)
    return end - start
  }

  /**
   * Where the first `count` tokens of the window belong among the sorted pages; `found` and `common` say which page
   * agrees longest with them, and how long: a neighbour of that place.
   */
  private search({ pages }: Siblings, count: number): number {
    let low = 0
    let high = pages.length
    while (low < high) {
      const middle = (low + high) >> 1
      const page = pages[middle]!
      const same = this.agreement(page, count)
      const before =
        same < count && (same === this.held[page] || this.tokens[page * PAGE_TOKENS + same]! < this.window[same]!)
      if (before) low = middle + 1
      else high = middle
    }
    this.found = -1
    this.common = 0
    for (const page of [pages[low], pages[low - 1]]) {
      if (page === undefined) continue
      const same = this.agreement(page, count)
      if (same <= this.common && this.found >= 0) continue
      this.found = page
      this.common = same
    }
    return low
  }

  private agreement(page: number, count: number): number {
    const end = Math.min(count, this.held[page]!)
    const at = page * PAGE_TOKENS
    let same = 0
    while (same < end && this.tokens[at + same] === this.window[same]) same++
    return same
  }

  // How many of the pages after the match were here before.
  private countEvicted(match: Match, source: TokenSource, limit: number, hash: number): void {
    for (let at = match.tokens - (match.tokens % PAGE_TOKENS); at + PAGE_TOKENS <= limit; at += PAGE_TOKENS) {
      this.read(source, at, limit)
      hash = this.chain(hash, PAGE_TOKENS)
      if (this.ghosts[hash & (this.ghosts.length - 1)] !== hash) return
      match.evicted = at + PAGE_TOKENS - match.tokens
    }
  }

  private chain(hash: number, count: number): number {
    for (let i = 0; i < count; i++) hash = mix(hash, this.window[i]!)
    return hash
  }
}

const mix = (hash: number, x: number): number => {
  hash = Math.imul(hash ^ x, 0x9e3779b1)
  return (hash ^ (hash >>> 15)) >>> 0
}

function seed(salt: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < salt.length; i++) hash = mix(hash, salt.charCodeAt(i))
  return hash
}

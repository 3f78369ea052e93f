// The prefix cache: pages that hold the beginning of some earlier text, found again by their tokens. A radix tree
// (RadixAttention, arXiv 2312.07104) in steps of a page: a node is a page, its parent the page of the 32 tokens before,
// its children are sorted by their tokens. So one binary search finds the page that agrees longest, and a hit may end in
// the middle of it. Tokens are compared, not hashed: two different texts never share a page.
//
// A sequence that owns a page owns all pages before it, and gives its pages up from the last to the first; therefore
// nothing in the KV cache follows a page that is given to somebody else (longest unused first).
//
// A page that makes room may live on as a copy outside the KV cache: its node moves to a place there. Nodes have the
// numbers of pages, and from `blocks.pages` on those of places. What follows a place is a place; places go longest
// unused first, too, and so again the ends of texts before their beginnings.
import { type BlockAllocator, PAGE_TOKENS } from './block-allocator.ts'
import type { BlockTable } from './block-table.ts'
import { chain, Ghosts, seed } from './ghosts.ts'
import { type Siblings, type TokenSource, TreeNodes } from './tree-nodes.ts'

/** What the tree knows of a text: its first `tokens` tokens are in `pages`, of which the last may be half used. */
export interface Match {
  tokens: number
  pages: number[]
  /** The nodes outside that follow; with them it is `reach` tokens. */
  outside: number[]
  reach: number
  /** Tokens after them that were in the tree once, and had to make room. */
  evicted: number
}

/** Room outside the KV cache, and who decides what goes there. */
export interface Outside {
  places: BlockAllocator
  /** A page makes room, with the tokens from `start` on, kept with `mark`: is it worth a copy? */
  worth(mark: number, start: number): boolean
  /** The bytes of node `from` are to be copied to node `to`. */
  copy(from: number, to: number): void
}

export class PrefixTree {
  /** Changes whenever a match may turn out longer than before. */
  version = 0
  private readonly nodes: TreeNodes
  private readonly ghosts: Ghosts

  constructor(
    private readonly blocks: BlockAllocator,
    private readonly outside?: Outside,
  ) {
    const { pages } = blocks
    this.nodes = new TreeNodes(pages + (outside?.places.pages ?? 0))
    this.ghosts = new Ghosts(4 * this.nodes.count)
    blocks.onEvict = (page) => this.makeRoom(page)
    if (outside) outside.places.onEvict = (place) => this.lose(pages + place)
  }

  /** The longest beginning of the first `limit` tokens that is cached under `salt`. */
  match(source: TokenSource, salt: string, limit: number): Match {
    const { nodes, blocks } = this
    const match: Match = { tokens: 0, pages: [], outside: [], reach: 0, evicted: 0 }
    let hash = seed(salt)
    for (let level = nodes.roots.get(salt); level && match.reach < limit; ) {
      const want = nodes.read(source, match.reach, limit)
      nodes.search(level, want)
      const { found, common } = nodes
      if (common === 0) break
      match.reach += common
      if (found < blocks.pages) {
        match.pages.push(found)
        match.tokens = match.reach
      } else match.outside.push(found)
      if (common < PAGE_TOKENS) break
      hash = nodes.hash[found]!
      level = nodes.children[found]
    }
    this.countEvicted(match, source, limit, hash)
    return match
  }

  /**
   * Keeps the pages of the first `tokens` tokens of a table. The sequence is over: where the tree has the same page
   * already, the table takes that one. `mark`: for whom they are kept.
   */
  keep(source: TokenSource, salt: string, table: BlockTable, tokens: number, mark = 0): void {
    this.insert(source, salt, table, tokens, true, mark)
  }

  /** Keeps the full pages of a sequence that goes on; its table stays as it is. */
  publish(source: TokenSource, salt: string, table: BlockTable, tokens: number): void {
    this.insert(source, salt, table, tokens - (tokens % PAGE_TOKENS), false, 0)
  }

  /** The tree gives up a page that nothing follows. */
  giveUp(page: number): void {
    this.lose(page)
    this.forget(page)
  }

  /** What is outside is lost. */
  forgetOutside(): void {
    const { nodes, blocks } = this
    for (let node = blocks.pages; node < nodes.count; node++)
      if (nodes.held[node] && nodes.level[node]!.parent < blocks.pages) this.cut(node)
  }

  /** Throws when the tree is not one, or keeps a page that nobody knows of. */
  check(): void {
    const { nodes, blocks } = this
    let seen = 0
    const visit = (level: Siblings, parent: number) => {
      if (level.nodes.length === 0) throw new Error('prefix tree: an empty level')
      if (level.parent !== parent) throw new Error(`prefix tree: ${parent} is followed by what follows ${level.parent}`)
      for (const node of level.nodes) {
        seen++
        if (nodes.level[node] !== level || !nodes.held[node])
          throw new Error(`prefix tree: page ${node} is not in its level`)
        const below = nodes.children[node]
        if (!below) continue
        if (nodes.held[node]! < PAGE_TOKENS) throw new Error(`prefix tree: half page ${node} has children`)
        const inside = below.nodes.filter((child) => child < blocks.pages)
        if (node >= blocks.pages && inside.length > 0)
          throw new Error(`prefix tree: place ${node} is followed by page ${inside[0]}`)
        if (node < blocks.pages && blocks.holders(node) === 0 && inside.some((child) => blocks.holders(child) > 0))
          throw new Error(`prefix tree: page ${node} is cached, but a page after it is owned`)
        visit(below, node)
      }
    }
    for (const root of nodes.roots.values()) visit(root, -1)
    const known = nodes.held.reduce((sum, held) => sum + Math.min(held, 1), 0)
    if (known !== seen) throw new Error(`prefix tree: ${known} pages are kept, ${seen} can be reached`)
  }

  private insert(
    source: TokenSource,
    salt: string,
    table: BlockTable,
    tokens: number,
    over: boolean,
    mark: number,
  ): void {
    if (tokens <= 0) return
    const { nodes, blocks } = this
    let level = nodes.root(salt)
    let hash = seed(salt)
    let replaced = false
    for (let start = 0; start < tokens; ) {
      const own = table.pages[start / PAGE_TOKENS]!
      const want = nodes.read(source, start, tokens)
      const place = nodes.search(level, want)
      const { found, common } = nodes
      let page = found
      if (common < want || found >= blocks.pages) {
        // Ours is new to the KV cache. A fork that goes on holds it too, but not the pages before it that took the place
        // of ours: they could go first.
        if (replaced && blocks.holders(own) > 1) {
          if (level.nodes.length === 0) nodes.close(level)
          return
        }
        if (common === want) {
          if (nodes.held[found]! > want) return // what is outside holds more
          this.comeBack(found, own)
        } else if (found >= 0 && common === nodes.held[found]) {
          this.drop(found, level, place - 1) // ours holds the same and more
          this.add(own, level, place - 1, want, hash)
        } else this.add(own, level, place, want, hash)
        page = own
      } else if (found !== own) {
        if (!over) return
        if (want < PAGE_TOKENS) return // a page with these tokens, and perhaps more, is there
        table.replace(blocks, start / PAGE_TOKENS, found)
        replaced = true
      }
      if (mark > 0) nodes.mark[page] = mark
      if (want < PAGE_TOKENS) return
      hash = nodes.hash[page]!
      start += PAGE_TOKENS
      if (start < tokens) level = nodes.children[page] ??= { nodes: [], parent: page, salt, start }
    }
  }

  private add(page: number, level: Siblings, place: number, count: number, hash: number): void {
    this.blocks.keep(page)
    this.nodes.add(page, level, place, count, hash)
    this.version++
  }

  private drop(node: number, level: Siblings, place: number): void {
    level.nodes.splice(place, 1)
    this.nodes.clear(node)
    this.forget(node)
  }

  // The KV cache has it again, in `page`.
  private comeBack(node: number, page: number): void {
    this.blocks.keep(page)
    this.nodes.move(node, page)
    this.forget(node)
    this.version++
  }

  // The page is given to somebody else: what it holds goes outside, or is lost with all that follows it.
  private makeRoom(page: number): void {
    const { outside, blocks, nodes } = this
    if (outside && outside.places.free > 0 && outside.worth(nodes.mark[page]!, nodes.level[page]!.start)) {
      const place = outside.places.allocate()
      outside.places.keep(place)
      outside.places.release(place)
      nodes.move(page, blocks.pages + place)
      outside.copy(page, blocks.pages + place)
    } else {
      for (const child of nodes.children[page]?.nodes.slice() ?? []) this.cut(child)
      this.lose(page)
    }
  }

  // A node outside, and all that follow it.
  private cut(node: number): void {
    for (const child of this.nodes.children[node]?.nodes.slice() ?? []) this.cut(child)
    this.giveUp(node)
  }

  private lose(node: number): void {
    this.ghosts.add(this.nodes.hash[node]!)
    this.nodes.remove(node)
  }

  private forget(node: number): void {
    const { blocks, outside } = this
    if (node < blocks.pages) blocks.forget(node)
    else outside!.places.forget(node - blocks.pages)
  }

  // How many of the pages after the match were here before.
  private countEvicted(match: Match, source: TokenSource, limit: number, hash: number): void {
    const { nodes, ghosts } = this
    for (let at = match.reach - (match.reach % PAGE_TOKENS); at + PAGE_TOKENS <= limit; at += PAGE_TOKENS) {
      nodes.read(source, at, limit)
      hash = chain(hash, nodes.window, PAGE_TOKENS)
      if (!ghosts.has(hash)) return
      match.evicted = at + PAGE_TOKENS - match.reach
    }
  }
}

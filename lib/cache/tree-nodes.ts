// The nodes of a prefix tree: what each holds, who follows it, and where a page of tokens belongs among siblings.
import { PAGE_TOKENS } from './block-allocator.ts'
import { chain } from './ghosts.ts'

/** Where the ids of a sequence come from. */
export interface TokenSource {
  /** Writes the ids [start, end) to words[at …] and returns the place after them. */
  copyTokens(start: number, end: number, words: Int32Array, at: number): number
}

/** The nodes that may follow one node, or begin a text; sorted by their tokens. */
export interface Siblings {
  nodes: number[]
  /** The node before them; −1 at a root, which has a salt. */
  parent: number
  salt: string
  /** Tokens before them. */
  start: number
}

export class TreeNodes {
  readonly held: Uint8Array // [nodes] tokens of each; 0: not in the tree
  readonly hash: Uint32Array // [nodes] of all tokens up to its end
  readonly mark: Int32Array // [nodes] for whom it is kept
  readonly level: (Siblings | undefined)[] // [nodes] the list it is in
  readonly children: (Siblings | undefined)[] // [nodes]
  readonly roots = new Map<string, Siblings>()
  /** The tokens that are looked for. */
  readonly window = new Int32Array(PAGE_TOKENS)
  /** What search() found: the node that agrees longest with them, or −1, and how long. */
  found = -1
  common = 0
  private readonly tokens: Int32Array // [nodes × 32]

  constructor(readonly count: number) {
    this.held = new Uint8Array(count)
    this.hash = new Uint32Array(count)
    this.mark = new Int32Array(count)
    this.level = new Array(count).fill(undefined)
    this.children = new Array(count).fill(undefined)
    this.tokens = new Int32Array(count * PAGE_TOKENS)
  }

  root(salt: string): Siblings {
    let root = this.roots.get(salt)
    if (!root) {
      root = { nodes: [], parent: -1, salt, start: 0 }
      this.roots.set(salt, root)
    }
    return root
  }

  /** Reads a page of a text, its end at `limit`, and returns how many tokens there are. */
  read(source: TokenSource, start: number, limit: number): number {
    const end = Math.min(start + PAGE_TOKENS, limit)
    source.copyTokens(start, end, this.window, 0)
    return end - start
  }

  /** Where the first `count` tokens of the window belong. One of the neighbours of that place agrees longest with them. */
  search({ nodes }: Siblings, count: number): number {
    let low = 0
    let high = nodes.length
    while (low < high) {
      const middle = (low + high) >> 1
      const node = nodes[middle]!
      const same = this.agreement(node, count)
      const before =
        same < count && (same === this.held[node] || this.tokens[node * PAGE_TOKENS + same]! < this.window[same]!)
      if (before) low = middle + 1
      else high = middle
    }
    this.found = -1
    this.common = 0
    for (const node of [nodes[low], nodes[low - 1]]) {
      if (node === undefined) continue
      const same = this.agreement(node, count)
      if (same <= this.common && this.found >= 0) continue
      this.found = node
      this.common = same
    }
    return low
  }

  /** The first `count` tokens of the window, behind a text with this hash, are those of `node`. */
  add(node: number, level: Siblings, place: number, count: number, hash: number): void {
    level.nodes.splice(place, 0, node)
    this.level[node] = level
    this.tokens.set(this.window.subarray(0, count), node * PAGE_TOKENS)
    this.held[node] = count
    this.hash[node] = chain(hash, this.window, count)
    this.mark[node] = 0
  }

  /** `to` is in the tree where `from` was. */
  move(from: number, to: number): void {
    const { level, children, tokens } = this
    const siblings = level[from]!
    siblings.nodes[siblings.nodes.indexOf(from)] = to
    level[to] = siblings
    children[to] = children[from]
    if (children[to]) children[to].parent = to
    tokens.copyWithin(to * PAGE_TOKENS, from * PAGE_TOKENS, (from + 1) * PAGE_TOKENS)
    this.held[to] = this.held[from]!
    this.hash[to] = this.hash[from]!
    this.mark[to] = this.mark[from]!
    children[from] = undefined
    this.clear(from)
  }

  /** Takes out a node without children. */
  remove(node: number): void {
    const level = this.level[node]!
    level.nodes.splice(level.nodes.indexOf(node), 1)
    if (level.nodes.length === 0) this.close(level)
    if (this.children[node]) throw new Error(`prefix tree: node ${node} has children and cannot go`)
    this.clear(node)
  }

  /** A level without nodes is none. */
  close(level: Siblings): void {
    if (level.parent < 0) this.roots.delete(level.salt)
    else this.children[level.parent] = undefined
  }

  clear(node: number): void {
    this.held[node] = 0
    this.level[node] = undefined
  }

  private agreement(node: number, count: number): number {
    const end = Math.min(count, this.held[node]!)
    const at = node * PAGE_TOKENS
    let same = 0
    while (same < end && this.tokens[at + same] === this.window[same]) same++
    return same
  }
}

// The prefix tree as the scheduler uses it: which sequences may share, from when on, and how often it paid; and which of
// its pages are swapped out when they have to make room.
import type { BlockAllocator } from '../cache/block-allocator.ts'
import type { BlockTable } from '../cache/block-table.ts'
import { type Match, PrefixTree } from '../cache/prefix-tree.ts'
import type { Scheduled } from './scheduled.ts'
import type { StepTime } from './step-time.ts'
import type { Swap } from './swap.ts'

/** Tokens of admitted sequences, by why they had to be computed or had not. */
export interface PrefixStats {
  /** Requests that were looked up, and those of them that found something. */
  lookups: number
  hits: number
  /** Tokens of prompts that were in the cache. */
  hitTokens: number
  /** … that were there once and had to make room. */
  evictedTokens: number
  /** … that were never there; the last token of a prompt, always computed, is one of them. */
  newTokens: number
  /** Tokens of pre-empted sequences that were still there when they came back. Never counted as hits. */
  resumedTokens: number
  /** Pages that no running sequence uses and the cache keeps. */
  pages: number
}

export class PrefixCache {
  private readonly tree: PrefixTree
  /** How long steps take; the scheduler knows. */
  time: ((program: number) => StepTime) | undefined
  private last: Match | undefined
  private readonly parked = new Map<number, Scheduled>() // pre-empted sequences, by the mark of their pages
  private marks = 0
  private readonly counts = { lookups: 0, hits: 0, hitTokens: 0, evictedTokens: 0, newTokens: 0, resumedTokens: 0 }

  constructor(
    private readonly blocks: BlockAllocator,
    /** Without one, what makes room is lost. */
    readonly swap?: Swap,
  ) {
    this.tree = new PrefixTree(
      blocks,
      swap && {
        places: swap.places,
        worth: (mark, start) => this.worthSwap(swap, mark, start),
        copy: (from, to) => swap.copy(true, from, to),
      },
    )
  }

  get version(): number {
    return this.tree.version
  }

  stats(): PrefixStats {
    return { ...this.counts, pages: this.blocks.cached }
  }

  /** Tokens at the beginning of `seq` that are cached now. */
  find(seq: Scheduled): number {
    return seq.salt === undefined ? 0 : this.tree.match(seq, seq.salt, seq.length - 1).reach
  }

  /** `seq`, which has no pages yet, gets those that hold its beginning. At least one token is left to compute. */
  begin(seq: Scheduled): void {
    this.last = undefined
    if (seq.salt === undefined) return
    this.last = this.tree.match(seq, seq.salt, seq.length - 1)
    seq.blocks.adopt(this.blocks, this.last.pages)
    seq.computed = this.last.tokens
  }

  /**
   * What is outside of the beginning of `seq`, for which begin() was called last: the nodes that are worth a copy, held
   * until letGo(), and the tokens that are there then.
   */
  bringBack(seq: Scheduled): { nodes: number[]; tokens: number } | undefined {
    const { swap, last, blocks } = this
    if (!swap || !last || last.outside.length === 0 || !this.time) return undefined
    const { tokens, outside: nodes, reach } = last
    if (!swap.worthIn(this.time(seq.program), tokens, reach, nodes.length)) return undefined
    for (const node of nodes) swap.places.share(node - blocks.pages)
    return { nodes, tokens: reach }
  }

  /** The copies of these nodes are asked for. From the last to the first: the ends of texts go before their beginnings. */
  letGo(nodes: readonly number[]): void {
    for (let i = nodes.length - 1; i >= 0; i--) this.swap!.places.release(nodes[i]! - this.blocks.pages)
  }

  /** The pages of `seq` have come back and are there for others: its first `tokens` tokens. */
  back(seq: Scheduled, tokens: number): void {
    if (seq.salt !== undefined && !seq.spoiled) this.tree.publish(seq, seq.salt, seq.blocks, tokens)
  }

  /** `seq` gives up its pages and comes back for them. */
  park(seq: Scheduled): void {
    if (!this.swap || seq.salt === undefined) return
    seq.mark = ++this.marks
    this.parked.set(seq.mark, seq)
  }

  /** It comes back no more. */
  unpark(seq: Scheduled): void {
    if (seq.mark > 0) this.parked.delete(seq.mark)
  }

  /** `page`, which one sequence owns, is its alone from now on. */
  giveUp(page: number): void {
    this.tree.giveUp(page)
  }

  /** Nothing that is outside can be read any more. */
  swapFailed(): void {
    this.swap?.fail()
    this.tree.forgetOutside()
  }

  /** `seq`, for which begin() was called last, starts; its first `computed` tokens need not be computed. */
  start(seq: Scheduled, computed: number): void {
    this.unpark(seq)
    if (!this.last) return
    if (seq.preemptions > 0) {
      this.counts.resumedTokens += computed
      return
    }
    seq.cached = computed
    const evicted = Math.min(this.last.evicted, seq.length - seq.cached)
    this.counts.lookups++
    if (seq.cached > 0) this.counts.hits++
    this.counts.hitTokens += seq.cached
    this.counts.evictedTokens += evicted
    this.counts.newTokens += seq.length - seq.cached - evicted
  }

  /** The prompt of `seq` is computed: its full pages are there for others. */
  publish(seq: Scheduled): void {
    if (seq.salt !== undefined && !seq.spoiled) this.tree.publish(seq, seq.salt, seq.blocks, seq.promptLength)
  }

  /** `table`, of which `seq` computed `tokens` tokens, is given up: what it holds stays until the room is needed. */
  keep(seq: Scheduled, table: BlockTable, tokens: number): void {
    if (seq.salt === undefined || seq.spoiled) return
    // The device may have computed an id that ended the sequence, and is no part of it.
    this.tree.keep(seq, seq.salt, table, Math.min(tokens, seq.known), this.parked.has(seq.mark) ? seq.mark : 0)
  }

  check(): void {
    this.tree.check()
  }

  private worthSwap(swap: Swap, mark: number, start: number): boolean {
    const seq = this.parked.get(mark)
    return seq !== undefined && this.time !== undefined && swap.worthOut(this.time(seq.program), start)
  }
}

// The prefix tree as the scheduler uses it: which sequences may share, from when on, and how often it paid.
import type { BlockAllocator } from '../cache/block-allocator.ts'
import type { BlockTable } from '../cache/block-table.ts'
import { type Match, PrefixTree } from '../cache/prefix-tree.ts'
import type { Scheduled } from './scheduled.ts'

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
  private last: Match | undefined
  private readonly counts = { lookups: 0, hits: 0, hitTokens: 0, evictedTokens: 0, newTokens: 0, resumedTokens: 0 }

  constructor(private readonly blocks: BlockAllocator) {
    this.tree = new PrefixTree(blocks)
  }

  get version(): number {
    return this.tree.version
  }

  stats(): PrefixStats {
    return { ...this.counts, pages: this.blocks.cached }
  }

  /** Tokens at the beginning of `seq` that are cached now. */
  find(seq: Scheduled): number {
    return seq.salt === undefined ? 0 : this.tree.match(seq, seq.salt, seq.length - 1).tokens
  }

  /** `seq`, which has no pages yet, gets those that hold its beginning. At least one token is left to compute. */
  begin(seq: Scheduled): void {
    this.last = undefined
    if (seq.salt === undefined) return
    this.last = this.tree.match(seq, seq.salt, seq.length - 1)
    seq.blocks.adopt(this.blocks, this.last.pages)
    seq.computed = this.last.tokens
  }

  /** `seq`, for which begin() was called last, starts. */
  count(seq: Scheduled): void {
    if (!this.last) return
    if (seq.preemptions > 0) {
      this.counts.resumedTokens += seq.computed
      return
    }
    seq.cached = seq.computed
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
    this.tree.keep(seq, seq.salt, table, Math.min(tokens, seq.known))
  }

  check(): void {
    this.tree.check()
  }
}

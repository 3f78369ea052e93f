// Who may hold memory: pages of the KV cache and slots on the device. What is given up while steps that use it are in
// flight waits behind a fence, the number of the last such step, and is free when that step has run.
import { type BlockAllocator, PAGE_TOKENS, pagesFor } from '../cache/block-allocator.ts'
import { BlockTable } from '../cache/block-table.ts'
import { KvasirError } from '../errors.ts'
import type { Limits } from './limits.ts'
import type { PrefixCache } from './prefix-cache.ts'
import type { Scheduled } from './scheduled.ts'

interface Fenced {
  step: number
  blocks: BlockTable
  slot: number
  seq: Scheduled
  /** Tokens that the pages hold when the step has run. */
  tokens: number
}

export class Capacity {
  private readonly slots: number[]
  private fenced: Fenced[] = []
  private fencedPages = 0
  private fencedSlots = 0
  private completed = 0
  private readonly refused = { seq: undefined as Scheduled | undefined, free: 0, spare: 0, version: 0 }

  constructor(
    readonly blocks: BlockAllocator,
    private readonly limits: Limits,
    /** Without one, nothing is shared between requests. */
    readonly prefixes?: PrefixCache,
  ) {
    const count = limits.maxSequences
    this.slots = Array.from({ length: count }, (_, i) => count - 1 - i)
  }

  get freeSlots(): number {
    return this.slots.length
  }

  /** Tokens that one sequence can ever keep. */
  get longest(): number {
    return Math.min(this.limits.context, this.blocks.budget * PAGE_TOKENS)
  }

  /** Refuses at once what can never run. */
  checkFits(seq: Scheduled): void {
    const { context, maxSequences, maxRows } = this.limits
    if (seq.limit > context) throw tooLong(seq, `the context is ${context} tokens`)
    if (pagesFor(seq.mostCached) > this.blocks.budget)
      throw tooLong(seq, `the KV cache has ${this.blocks.budget} pages of ${PAGE_TOKENS} tokens`)
    const answers = 1 + seq.forks.length
    const most = Math.min(maxSequences, maxRows)
    if (answers > most)
      throw new KvasirError(
        'KV_ARGUMENT',
        `n: expected at most ${most}, for so many sequences was the model loaded, found ${answers}; ` +
          'lower n or load with a larger maxSequences',
      )
  }

  /**
   * Lets `seq` start if it can now: slots for it and its forks, pages for all of its tokens. The pages that the prefix
   * cache has of it are its own then, and those tokens count as computed; promise() gives it a claim on the others.
   *
   * `tokens`: for how many there must be room. `spare`: pages that stay free for others.
   */
  admit(seq: Scheduled, tokens: number, spare: number): boolean {
    if (this.slots.length < slotsOf(seq) || this.stillRefused(seq, spare)) return false
    this.prefixes?.begin(seq)
    const room = () => this.blocks.free >= spare + pagesFor(tokens) - Math.floor(seq.computed / PAGE_TOKENS)
    if (room()) return true
    // The half-used page is there to be copied, and may be the one page too many.
    if (seq.computed % PAGE_TOKENS > 0) {
      seq.blocks.pop(this.blocks)
      seq.computed -= seq.computed % PAGE_TOKENS
      if (room()) return true
    }
    this.withdraw(seq)
    Object.assign(this.refused, { seq, free: this.blocks.free, spare, version: this.prefixes?.version ?? 0 })
    return false
  }

  /** Keeps pages for an admitted sequence: its prompt never waits for memory again, and takes a page when it fills it. */
  promise(seq: Scheduled, tokens: number): void {
    seq.promised = seq.blocks.missing(this.blocks, seq.computed, tokens)
    this.blocks.promise(seq.promised)
  }

  /** Makes tokens [start, end) of `seq` writable, with the pages first that were promised to it. */
  reserve(seq: Scheduled, start: number, end: number, copies: number[]): void {
    const pages = Math.min(seq.promised, seq.blocks.missing(this.blocks, start, end))
    seq.promised -= pages
    this.blocks.redeem(pages)
    seq.blocks.reserve(this.blocks, start, end, copies)
  }

  /** Pages and slots that `seq` still lacks when the steps in flight have run, the prefix cache left aside. */
  lacks(seq: Scheduled): { pages: number; slots: number } {
    return {
      pages: pagesFor(seq.length) - this.blocks.free - this.fencedPages,
      slots: slotsOf(seq) - this.slots.length - this.fencedSlots,
    }
  }

  /** `seq` was admitted, but does not start. */
  withdraw(seq: Scheduled): void {
    seq.blocks.release(this.blocks)
    seq.computed = 0
  }

  takeSlot(seq: Scheduled): void {
    seq.slot = this.slots.pop()!
  }

  /** Pages that the next `count` tokens of `seq` need, beyond those that were promised to it. */
  missing(seq: Scheduled, count: number): number {
    return Math.max(0, seq.blocks.missing(this.blocks, seq.computed, seq.computed + count) - seq.promised)
  }

  /** True if `pages` will be free once the steps in flight have run. */
  awaits(pages: number): boolean {
    return this.fencedPages > 0 && this.blocks.free + this.fencedPages >= pages
  }

  /** Gives up the pages of `seq`, and its slot unless it comes back. */
  release(seq: Scheduled, keepSlot: boolean): void {
    const slot = keepSlot ? -1 : seq.slot
    const fenced = { step: seq.lastStep, blocks: seq.blocks, slot, seq, tokens: seq.computed }
    seq.blocks = new BlockTable()
    this.blocks.redeem(seq.promised, true)
    seq.promised = 0
    if (!keepSlot) seq.slot = -1
    if (fenced.step <= this.completed) this.free(fenced)
    else {
      this.fenced.push(fenced)
      this.fencedPages += fenced.blocks.count
      if (slot >= 0) this.fencedSlots++
    }
  }

  /** The prompt of `seq` is computed, by steps up to `step`: its full pages are there for others. */
  publish(seq: Scheduled, step: number): void {
    const same = seq.state === 'running' || seq.state === 'draining'
    if (same && seq.firstStep <= step) this.prefixes?.publish(seq)
  }

  /** Step number `step` has run, and so have all before it. */
  complete(step: number): void {
    this.completed = step
    if (this.fenced.length === 0) return
    const open = this.fenced.filter((entry) => entry.step <= step)
    this.fenced = this.fenced.filter((entry) => entry.step > step)
    for (const entry of open) {
      this.fencedPages -= entry.blocks.count
      if (entry.slot >= 0) this.fencedSlots--
      this.free(entry)
    }
  }

  /** Throws unless every page and slot is free, fenced or held by one of `live`, exactly once. */
  check(live: Scheduled[]): void {
    const tables = [...this.fenced.map((entry) => entry.blocks), ...live.map((seq) => seq.blocks)]
    const promised = live.reduce((sum, seq) => sum + seq.promised, 0)
    this.blocks.check(
      tables.map((table) => table.list()),
      promised,
    )
    this.prefixes?.check()
    const slots = [...this.slots, ...this.fenced.map((entry) => entry.slot), ...live.map((seq) => seq.slot)]
    const held = slots.filter((slot) => slot >= 0)
    const count = this.limits.maxSequences
    if (held.length !== count || new Set(held).size !== count)
      throw new Error(`${count} slots, but ${held.length} accounted for: ${held.sort((a, b) => a - b)}`)
  }

  // Nothing has changed for the better since it was refused: it is not looked up again in every step.
  private stillRefused(seq: Scheduled, spare: number): boolean {
    const { refused, blocks, prefixes } = this
    const more = blocks.free > refused.free || spare < refused.spare
    return seq === refused.seq && !more && (prefixes?.version ?? 0) === refused.version
  }

  private free(entry: Fenced): void {
    this.prefixes?.keep(entry.seq, entry.blocks, entry.tokens)
    entry.blocks.release(this.blocks)
    if (entry.slot >= 0) this.slots.push(entry.slot)
  }
}

/** Slots that a sequence needs to start: its own, and those of its forks. */
const slotsOf = (seq: Scheduled): number => (seq.slot < 0 ? 1 + seq.forks.length : 0)

function tooLong(seq: Scheduled, room: string): KvasirError {
  const wanted =
    seq.work === 'generate'
      ? `prompt (${seq.length}) and maxTokens (${seq.limit - seq.length}) need ${seq.limit} tokens`
      : `the text has ${seq.length} tokens`
  return new KvasirError('KV_TOO_LONG', `${wanted}, but ${room}; shorten it, or load with a larger context`)
}

// The memory of the KV cache: as many pages as the caller asked for, fewer while the machine is short of memory, and what
// retires goes back to the system.
import { type BlockAllocator, pagesFor } from '../cache/block-allocator.ts'
import { KvasirError } from '../errors.ts'
import type { NativeExecutor } from '../native.ts'
import type { EngineLoad } from './engine-load.ts'
import type { KvPages } from './kv-budget.ts'
import type { Request } from './request.ts'

export class KvMemory {
  private asked: number
  private allowed: number
  private returned = 0 // pages that the device has given back
  private stepsDown = 0
  private stepsUp = 0

  constructor(
    private readonly blocks: BlockAllocator,
    private readonly executor: Pick<NativeExecutor, 'release'>,
    private readonly context: number,
  ) {
    this.asked = this.allowed = blocks.pages
  }

  /** From now on there are `pages`, as the caller wants. Throws KV_ARGUMENT when a request under way may need more. */
  ask(pages: number, requests: Iterable<Request<unknown>>): void {
    for (const { sequences } of requests)
      for (const seq of sequences)
        if (seq.state !== 'done' && pagesFor(seq.mostCached) > pages)
          throw new KvasirError(
            'KV_ARGUMENT',
            `the KV cache cannot shrink to ${pages} pages: a request under way may need ${pagesFor(seq.mostCached)}; ` +
              'end it first, or give it fewer maxTokens',
          )
    this.asked = pages
    this.apply()
  }

  /** From now on there are at most `pages`, as the machine wants; a request at full context can always run. */
  allow(pages: number): void {
    const before = this.blocks.budget
    this.allowed = Math.max(pages, this.least)
    this.apply()
    if (this.blocks.budget < before) this.stepsDown++
    else if (this.blocks.budget > before) this.stepsUp++
  }

  /** Pages that the device was made with. */
  get total(): number {
    return this.blocks.pages
  }

  /** As many as there are now. */
  get budget(): number {
    return this.blocks.budget
  }

  /** For who says how many they may be. */
  pages(): KvPages {
    const { budget, resident } = this.blocks
    return { most: this.asked, least: this.least, now: budget, resident }
  }

  stats(): Pick<EngineLoad, 'residentPages' | 'askedPages' | 'stepsDown' | 'stepsUp'> {
    const { asked, stepsDown, stepsUp } = this
    return { residentPages: this.blocks.resident, askedPages: asked, stepsDown, stepsUp }
  }

  /** What has retired leaves the device's memory, after the steps that are queued. */
  giveBack(): void {
    const { gone } = this.blocks
    if (gone.length > this.returned) this.executor.release(Int32Array.from(gone.slice(this.returned)))
    this.returned = gone.length
  }

  private get least(): number {
    return Math.min(this.asked, pagesFor(this.context))
  }

  private apply(): void {
    this.blocks.resize(Math.min(this.asked, this.allowed))
  }
}

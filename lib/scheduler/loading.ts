// Sequences whose pages are on their way back into the KV cache. They come a few at a time, so that a stream beside them
// waits for copies no longer than for half a step. A sequence goes on when the device has said that all are there.
import type { PrefixCache } from './prefix-cache.ts'
import type { Room } from './room.ts'
import type { Scheduled } from './scheduled.ts'
import type { Swap, SwapJob } from './swap.ts'

interface Load {
  /** Nodes of the copies outside, and the first of the pages that they belong to. */
  from: number[]
  index: number
  asked: number
  /** Tokens that are there in the end. */
  tokens: number
}

export class Loading<S extends Scheduled> {
  private readonly loads = new Map<S, Load>()

  constructor(
    readonly swap: Swap,
    private readonly prefixes: PrefixCache,
    private readonly room: Room<S>,
    /** Puts a sequence among the running. */
    private readonly enter: (seq: S) => void,
  ) {}

  get size(): number {
    return this.loads.size
  }

  sequences(): Iterable<S> {
    return this.loads.keys()
  }

  /** `from` goes to the pages of `seq` from `index` on; it has `tokens` tokens then. The places are held meanwhile. */
  begin(seq: S, from: number[], index: number, tokens: number): void {
    seq.state = 'loading'
    this.loads.set(seq, { from, index, asked: 0, tokens })
  }

  /** Asks for as many pages as come back in `ms`. */
  ask(ms: number): void {
    if (this.loads.size === 0) return
    let most = this.swap.pagesIn(ms)
    for (const [seq, load] of this.loads)
      while (load.asked < load.from.length && most-- > 0) {
        this.swap.copy(false, load.from[load.asked]!, seq.blocks.pages[load.index + load.asked]!)
        if (++load.asked < load.from.length) continue
        this.swap.loads(seq)
        this.prefixes.letGo(load.from)
      }
  }

  /** A job has run, in `ms`. */
  done(job: SwapJob<S>, ms: number): void {
    this.swap.done(job, ms)
    for (const seq of job.loaded) {
      const load = this.loads.get(seq)
      if (!load) continue // nobody waits for it any more
      this.loads.delete(seq)
      seq.computed = load.tokens
      this.prefixes.back(seq, load.tokens)
      this.enter(seq)
    }
  }

  /** A job did not run: nothing outside is read any more, and what waits for it is computed again. */
  failed(): void {
    this.prefixes.swapFailed()
    for (const seq of [...this.loads.keys()]) {
      this.cancel(seq)
      this.room.backInLine(seq)
    }
  }

  /** `seq` waits no longer. */
  cancel(seq: S): void {
    const load = this.loads.get(seq)
    if (load && load.asked < load.from.length) this.prefixes.letGo(load.from)
    this.loads.delete(seq)
  }
}

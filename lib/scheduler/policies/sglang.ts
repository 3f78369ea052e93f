// The rule of SGLang's scheduler with its defaults, from its description: prompts first and never beside streams;
// admission keeps room for a share of the tokens that the running may still generate, a share that falls while nothing
// goes wrong and jumps when something had to be retracted; retracted is who generated least. For comparison in
// `kvasir bench replay`. Its longest-prefix-first order is off with more than 128 waiting, and so left out here.
import { pagesFor } from '../../cache/block-allocator.ts'
import { Policy } from '../policy.ts'
import type { Scheduled } from '../scheduled.ts'

const INITIAL_SHARE = 0.7
const LEAST_SHARE = 0.14 * INITIAL_SHARE
const DECAY_STEPS = 600
const RETRACTION_TOKENS = 20
const MOST_TOKENS = 4096 // of an answer, as far as the estimate goes

export class SgLang<S extends Scheduled> extends Policy<S> {
  override readonly name = 'sglang'
  override readonly mixes = false
  override readonly mostPreemptions = Infinity
  private share = INITIAL_SHARE

  override reserve(running: readonly S[]): number {
    this.share = Math.max(LEAST_SHARE, this.share - (INITIAL_SHARE - LEAST_SHARE) / DECAY_STEPS)
    let tokens = 0
    for (const seq of running) tokens += Math.min(seq.limit - seq.length, MOST_TOKENS) * this.share
    return pagesFor(Math.ceil(tokens))
  }

  override victim(running: readonly S[], from: number): number {
    let best = -1
    for (let i = from; i < running.length; i++)
      if (this.mayGiveWay(running[i]!) && (best < 0 || before(running[i]!, running[best]!))) best = i
    if (best >= 0) this.retracted(running)
    return best
  }

  private retracted(running: readonly S[]): void {
    let done = 0
    let most = 0
    for (const seq of running) {
      done += seq.length - seq.promptLength
      most += Math.min(seq.limit - seq.promptLength, MOST_TOKENS)
    }
    this.share = Math.min(1, (done + RETRACTION_TOKENS * running.length) / Math.max(1, most))
  }
}

const before = (a: Scheduled, b: Scheduled): boolean => {
  const generated = a.length - a.promptLength - (b.length - b.promptLength)
  return generated < 0 || (generated === 0 && a.promptLength > b.promptLength)
}

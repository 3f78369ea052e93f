// What the scheduler knows of a sequence: counts, never token values. So a step can be planned while the tokens that it
// continues are still being computed.
import { BlockTable } from '../cache/block-table.ts'

/**
 * generate: a token is sampled whenever the gap between `length` and `computed` closes.
 * score: every token has a row, none is sampled.   embed: no rows; the device keeps the pooled vector.
 */
export type Work = 'generate' | 'score' | 'embed'

/** waiting: not in memory. running: has pages. draining: its last step is under way. done: over. */
export type State = 'waiting' | 'running' | 'draining' | 'done'

export interface ScheduledOptions {
  work: Work
  /** Index of the program that computes it. A step runs one program. */
  program: number
  /** Tokens to compute at first. */
  length: number
  /** `length` at which nothing is left to plan: prompt and maxTokens together. */
  limit: number
}

export class Scheduled {
  readonly work: Work
  readonly program: number
  readonly limit: number
  /** Tokens of the sequence, the one in flight included. */
  length: number
  /** Tokens whose keys and values are in the cache once the planned steps have run. */
  computed = 0
  /** Tokens whose ids have come back: length, or one less while a step is in flight. */
  known: number
  blocks = new BlockTable()
  /** Its place on the device (sampler, last token); −1 until admitted, then kept to the end. */
  slot = -1
  /** The last step that uses its pages or its slot. */
  lastStep = 0
  state: State = 'waiting'
  /** Other answers to the same prompt (n > 1): they share its pages as soon as they are computed. */
  forks: this[] = []

  constructor(options: ScheduledOptions) {
    this.work = options.work
    this.program = options.program
    this.length = options.length
    this.known = options.length
    this.limit = options.limit
  }

  /** Tokens that are in the cache at the very end: the last sampled one is never computed. */
  get mostCached(): number {
    return this.work === 'generate' ? this.limit - 1 : this.limit
  }
}

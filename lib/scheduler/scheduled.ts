// What the scheduler knows of a sequence: counts, never token values. So a step can be planned while the tokens that it
// continues are still being computed. Only the prefix cache looks at ids, and only at those that are known.
import { BlockTable } from '../cache/block-table.ts'
import type { TokenSource } from '../cache/tree-nodes.ts'
import { PRIORITIES, type Service, TARGETS, type Targets } from './service.ts'

/**
 * generate: a token is sampled whenever the gap between `length` and `computed` closes.
 * score: every token has a row, none is sampled.   embed: no rows; the device keeps the pooled vector.
 */
export type Work = 'generate' | 'score' | 'embed'

/**
 * waiting: not in memory. loading: its pages are on their way back. running: has pages. draining: its last step is under
 * way. done: over.
 */
export type State = 'waiting' | 'loading' | 'running' | 'draining' | 'done'

export interface ScheduledOptions {
  work: Work
  /** Index of the program that computes it. A step runs one program. */
  program: number
  /** Tokens to compute at first. */
  length: number
  /** `length` at which nothing is left to plan: prompt and maxTokens together. */
  limit: number
  /** Sequences with the same salt share the pages of a common beginning. Without one it shares with nobody. */
  salt?: string
  service?: Service
  /** Nothing on the device but its slot knows of it (penalties count there): it keeps the slot when it is pre-empted. */
  settled?: boolean
}

export class Scheduled implements TokenSource {
  readonly work: Work
  readonly program: number
  readonly limit: number
  readonly salt: string | undefined
  /** `length` before anything was sampled. */
  readonly promptLength: number
  /** Tokens of the sequence, the one in flight included. */
  length: number
  /** 0 interactive, 1 standard, 2 batch. */
  readonly rank: number
  readonly tenant: string
  readonly targets: Targets
  readonly settled: boolean
  /**
   * When it came, when its first token should be there, and when it is of no use any more: of the scheduler's clock. Until
   * it is added, `deadline` counts from then.
   */
  arrival = 0
  due = 0
  deadline: number
  /** When its last tokens were planned. */
  lastRun = 0
  preemptions = 0
  /** Of its pages in the prefix cache, since it gave them up last. */
  mark = 0
  /** Tokens whose keys and values are in the cache once the planned steps have run. */
  computed = 0
  /** Tokens whose ids have come back: length, or one less while a step is in flight. */
  known: number
  blocks = new BlockTable()
  /** Pages that it will take as its prompt is computed; nobody else gets them. */
  promised = 0
  /** Its place on the device (sampler, last token); −1 until admitted, then kept to the end. */
  slot = -1
  /** Tokens of the prompt that were in the cache when it was admitted. */
  cached = 0
  /** The step of its last admission: its pages are the same since. */
  firstStep = 0
  /** The last step that uses its pages or its slot. */
  lastStep = 0
  /** A step with it failed: what its pages hold is not known. */
  spoiled = false
  state: State = 'waiting'
  /** Other answers to the same prompt (n > 1): they share its pages as soon as they are computed. */
  forks: this[] = []

  constructor(options: ScheduledOptions) {
    this.work = options.work
    this.program = options.program
    this.length = options.length
    this.known = options.length
    this.limit = options.limit
    this.salt = options.salt
    this.settled = options.settled ?? false
    const { priority = 'standard', tenant = '', ttftMs, tpotMs, deadlineMs = Infinity } = options.service ?? {}
    this.rank = PRIORITIES.indexOf(priority)
    this.tenant = tenant
    const usual = TARGETS[priority]
    this.targets = { ttftMs: ttftMs ?? usual.ttftMs, tpotMs: tpotMs ?? usual.tpotMs }
    this.deadline = deadlineMs
    this.promptLength = options.length
  }

  /** Only a sequence with a salt is asked for its ids. */
  copyTokens(_start: number, _end: number, _words: Int32Array, _at: number): number {
    throw new Error('a sequence with a salt must know its tokens')
  }

  /** Tokens that are in the cache at the very end: the last sampled one is never computed. */
  get mostCached(): number {
    return this.work === 'generate' ? this.limit - 1 : this.limit
  }
}

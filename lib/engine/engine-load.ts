// What llm.stats() gives.
import type { FormatCosts, Priority } from '../native.ts'
import type { PrefixStats } from '../scheduler/prefix-cache.ts'
import type { SwapStats } from '../scheduler/swap.ts'

/** How busy a model is. With nothing to do, every page and every slot is free. */
export interface EngineLoad {
  /** Calls that are not over; of their sequences, some run and some wait in line. */
  requests: number
  running: number
  waiting: number
  /** Times that a sequence gave its memory to another, ever. */
  preemptions: number
  /** Steps that ran, and the milliseconds that the device computed them; 0 where it does not count. */
  steps: number
  busyMs: number
  /** Of the steps, those that a card replayed from a recording. */
  replays: number
  /** Of answers in a format; undefined before the first. */
  formats: FormatCosts | undefined
  /** Of the threads that compute: 'background' gives way to other programs. */
  priority: Priority
  /** Pages of the KV cache, and those that can be had now, the prefix cache's included. */
  pages: number
  freePages: number
  /** Pages that hold memory, which a page does from its first use on. */
  residentPages: number
  /** Pages that there are when memory is not short: all, or as many as resize() said. */
  askedPages: number
  /** Times that the KV cache gave way because memory was short, and that it took back. */
  stepsDown: number
  stepsUp: number
  /** Of info.maxSequences. */
  freeSlots: number
  /** What the prefix cache has done so far; undefined when it is off. */
  prefixCache: PrefixStats | undefined
  /** What was copied out of the KV cache and back; undefined when swap is off. */
  swap: SwapStats | undefined
}

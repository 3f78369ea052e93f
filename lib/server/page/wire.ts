// What /live sends, as JSON: `hello` once, then a `sample` four times a second.

/** Interactive, standard, batch. */
export type ByClass<T> = [T, T, T]

export interface LiveHello {
  model: string
  context: number
  slots: number
  pageTokens: number
  threads: number
  isa: string
  kv: string
  kvBytes: number
  /** What the classes promise, in milliseconds. */
  targets: ByClass<{ ttftMs: number; tpotMs: number }>
  /** Samples of the last two minutes, as far as somebody watched. */
  history: Sample[]
}

/** Of the answers of the last minute; milliseconds. */
export interface Latency {
  count: number
  p50: number
  p95: number
  p99: number
  /** How many were within what they were promised. */
  within: number
}

/** A fixed stretch of time, and how things stand at its end. */
export interface Sample {
  /** Milliseconds since the feed began. */
  at: number
  /** How long the stretch was. */
  ms: number
  steps: number
  /** Milliseconds in which the device computed. */
  busyMs: number
  /** Tokens of prompts, and tokens generated. */
  prefill: number
  decode: number
  /** Sequences in a step: the mean and the most. */
  batch: number
  widest: number
  running: ByClass<number>
  waiting: ByClass<number>
  requests: number
  freeSlots: number
  free: number
  cached: number
  /** Pages that one sequence owns, and pages of several. */
  owned: number
  shared: number
  /** Given back to the system. */
  retired: number
  /** Since the model was loaded. */
  preemptions: number
  /** Pages that came back from outside the KV cache. */
  swappedIn: number
  hitTokens: number
  promptTokens: number
  ttft: ByClass<Latency>
  tpot: ByClass<Latency>
}

/** The pages: all of them as base64, or page, state, page, state, … of those that have changed. */
export interface PageMap {
  all?: string
  changed?: number[]
}

/** States of a page: 0 free, 1 cached, n + 1 for n holders, 255 retired. */
export const FREE = 0
export const CACHED = 1
export const RETIRED = 255

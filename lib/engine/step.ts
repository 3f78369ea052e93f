// A step plan as the integers that cross to the device, and the integers that come back. The words are documented in
// native/executor/step.h.
import { pagesFor } from '../cache/block-allocator.ts'
import { KvasirError } from '../errors.ts'
import type { StepPlan } from '../scheduler/plan.ts'
import type { Sequence } from './sequence.ts'

const HEADER = 6
const SEQUENCE = 4
const ROW = 3
const [FLAG_STOP, FLAG_ENDED, FLAG_STUCK] = [1, 2, 4]

export class StepWriter {
  private words = new Int32Array(4096)

  /** The words of the step; they are overwritten by the next write. */
  write(plan: StepPlan<Sequence>): Int32Array {
    const { chunks, rows, copies } = plan
    const size = HEADER + plan.tokens + SEQUENCE * chunks.length + plan.blocks + ROW * rows.length + copies.length
    if (size > this.words.length) this.words = new Int32Array(2 * size)
    const words = this.words
    words[0] = plan.program
    words[1] = plan.tokens
    words[2] = chunks.length
    words[3] = rows.length
    words[4] = plan.blocks
    words[5] = copies.length / 2

    let token = HEADER
    let sequence = HEADER + plan.tokens
    let block = sequence + SEQUENCE * chunks.length
    for (const { seq, start, count } of chunks) {
      token = seq.copyTokens(start, start + count, words, token)
      words[sequence++] = seq.slot
      words[sequence++] = count
      words[sequence++] = start
      const held = pagesFor(start + count) // it may have more: the rest of its prompt
      words[sequence++] = held
      const { pages } = seq.blocks
      for (let i = 0; i < held; i++) words[block++] = pages[i]!
    }
    let at = block
    for (const { seq, index, position, scored } of rows) {
      words[at++] = index
      words[at++] = seq.slot
      words[at++] = scored ? seq.token(position + 1) : -1
    }
    for (const page of copies) words[at++] = page
    return words.subarray(0, size)
  }
}

/** What came of one row. The object is reused for the next row; the two arrays are the reader's to keep. */
export interface RowResult {
  id: number
  /** Natural logarithm of the model's own probability of `id`. */
  logprob: number
  /** The id is one of the sequence's stop tokens. */
  stop: boolean
  /** With this id the answer is complete: its format lets nothing follow. */
  ended: boolean
  /** No token continues the answer as its format wants it; the id means nothing. */
  stuck: boolean
  topIds: number[]
  topLogprobs: number[]
}

export class StepReader {
  private readonly floats: Float32Array
  private readonly row: RowResult = {
    id: -1,
    logprob: 0,
    stop: false,
    ended: false,
    stuck: false,
    topIds: [],
    topLogprobs: [],
  }
  private at = 0

  constructor(private readonly words: Int32Array) {
    this.floats = new Float32Array(words.buffer, words.byteOffset, words.length)
  }

  nextRow(): RowResult {
    const { words, floats, row } = this
    const count = words[this.at + 3] ?? 0
    this.need(4 + 2 * count)
    row.id = words[this.at]!
    row.logprob = floats[this.at + 1]!
    const flags = words[this.at + 2]!
    row.stop = (flags & FLAG_STOP) !== 0
    row.ended = (flags & FLAG_ENDED) !== 0
    row.stuck = (flags & FLAG_STUCK) !== 0
    if (count > 0 || row.topIds.length > 0) {
      row.topIds = []
      row.topLogprobs = []
    }
    this.at += 4
    for (let i = 0; i < count; i++) {
      row.topIds.push(words[this.at++]!)
      row.topLogprobs.push(floats[this.at++]!)
    }
    return row
  }

  /** The pooled vectors [count, dim] that follow the rows; none unless the program pools. */
  pooled(count: number): Float32Array[] {
    const left = this.words.length - this.at
    const dim = Math.floor(left / count)
    if (dim === 0 || dim * count !== left)
      throw new KvasirError('KV_NATIVE', `step result: ${left} words are left for ${count} pooled vectors`)
    return Array.from({ length: count }, (_, i) => this.floats.slice(this.at + i * dim, this.at + (i + 1) * dim))
  }

  private need(words: number): void {
    const left = this.words.length - this.at
    if (words > left) throw new KvasirError('KV_NATIVE', `step result: a row needs ${words} words, ${left} are left`)
  }
}

// What a step and a sequence may need at most; the upper bounds that the arena is laid out for.
export interface Limits {
  /** Tokens of a step (T). */
  maxTokens: number
  /** Sequences on the device at once (S): as many slots. */
  maxSequences: number
  /** Rows of a step whose logits are computed (L). */
  maxRows: number
  /** Tokens of one sequence. */
  context: number
}

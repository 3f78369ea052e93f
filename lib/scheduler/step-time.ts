// How long a step takes, in milliseconds, learnt from the steps that have run:
//
//   ms = a + b · tokens + c · sequences + d · attention + e · rows
//
// attention counts pairs of a token and one that it sees; rows are logits. Recursive least squares in information form,
// with forgetting along the direction of each new step only (Cao and Schwartz, Automatica 36, 2000): the model follows a
// machine that slows down or speeds up, and an hour of nothing but streams does not make it forget what prompts cost.
// Two guards: coefficients are never negative, and one slow step (the host took a core away) counts no more than three
// times the usual error. What those few steps were slower than the model says is known as `slowness`, for who must react
// at once.

/** What a step's time depends on. A StepPlan is one. */
export interface StepWork {
  tokens: number
  sequences: number
  attention: number
  rows: number
}

const FEATURES = 5
const FORGETTING = 0.01 // of what is known about steps like the one that has run
const WARM_UP = 8 // steps before it is asked
const PRIOR = 1e-4 // weight of the guess that a coefficient is 0
const SWEEPS = 4
const RECENT = 0.3 // weight of the last step in `slowness`
// One unit of each feature in a step of some size: keeps the matrix well conditioned.
const SCALE = { tokens: 1 / 64, sequences: 1 / 16, attention: 1 / 32768, rows: 1 / 16 }

export class StepTime {
  private readonly theta = new Float64Array(FEATURES)
  private readonly information = new Float64Array(FEATURES * FEATURES) // A = Σ x xᵀ
  private readonly evidence = new Float64Array(FEATURES) // Σ x · ms
  private readonly x = new Float64Array(FEATURES)
  private readonly ax = new Float64Array(FEATURES)
  private usualError = 0
  private ratio = 1
  private steps = 0

  constructor() {
    for (let i = 0; i < FEATURES; i++) this.information[i * FEATURES + i] = PRIOR
  }

  /** False while too few steps have run to say anything. */
  get ready(): boolean {
    return this.steps >= WARM_UP
  }

  /** Mean distance between what was predicted and what was measured, of the last hundred steps or so. */
  get error(): number {
    return this.usualError
  }

  /** How many times longer than predicted the last few steps took; 1 when they were faster. */
  get slowness(): number {
    return Math.max(1, this.ratio)
  }

  predict({ tokens, sequences, attention, rows }: StepWork): number {
    const t = this.theta
    return (
      t[0]! +
      t[1]! * (tokens * SCALE.tokens) +
      t[2]! * (sequences * SCALE.sequences) +
      t[3]! * (attention * SCALE.attention) +
      t[4]! * (rows * SCALE.rows)
    )
  }

  /** Milliseconds of a step with nothing in it. */
  get empty(): number {
    return this.theta[0]!
  }

  /** Milliseconds that one more sequence with `context` tokens, of which the last is computed, adds to a step. */
  decode(context: number): number {
    const t = this.theta
    return t[1]! * SCALE.tokens + t[2]! * SCALE.sequences + t[3]! * (context * SCALE.attention) + t[4]! * SCALE.rows
  }

  /** Milliseconds that `count` tokens of a prompt after `start` add to the steps that they are part of. */
  tokens(start: number, count: number): number {
    return this.theta[1]! * (count * SCALE.tokens) + this.theta[3]! * (pairs(start, count) * SCALE.attention)
  }

  /** How many tokens after `start` of one more sequence fit into `ms`. */
  fit(ms: number, start: number): number {
    const a = (this.theta[3]! * SCALE.attention) / 2
    const b = this.theta[1]! * SCALE.tokens + a * (2 * start + 1)
    const left = ms - this.theta[2]! * SCALE.sequences
    if (left <= 0) return 0
    if (a <= 0) return b > 0 ? Math.floor(left / b) : Infinity
    return Math.floor((Math.sqrt(b * b + 4 * a * left) - b) / (2 * a))
  }

  /** Milliseconds of the tokens [start, end) of one sequence alone, in steps of at most `chunk` tokens. */
  prefill(start: number, end: number, chunk: number): number {
    const tokens = Math.max(0, end - start)
    const steps = Math.ceil(tokens / chunk)
    return (
      steps * this.predict({ tokens: 0, sequences: 1, attention: 0, rows: 0 }) +
      this.predict({ tokens, sequences: 0, attention: pairs(start, tokens), rows: 1 }) -
      this.theta[0]!
    )
  }

  /** A step of this size took `ms`. */
  observe(work: StepWork, ms: number): void {
    const { information, evidence, x } = this
    x[0] = 1
    x[1] = work.tokens * SCALE.tokens
    x[2] = work.sequences * SCALE.sequences
    x[3] = work.attention * SCALE.attention
    x[4] = work.rows * SCALE.rows
    const measured = this.clip(work, ms)
    if (this.steps++ >= WARM_UP) this.forget()
    for (let i = 0; i < FEATURES; i++) {
      evidence[i]! += x[i]! * measured
      for (let j = 0; j < FEATURES; j++) information[i * FEATURES + j]! += x[i]! * x[j]!
    }
    this.solve()
  }

  // The measured time, unless it is out of all proportion. The bound opens by itself when everything has become slower.
  private clip(work: StepWork, ms: number): number {
    const predicted = this.predict(work)
    const most = this.steps < 2 * WARM_UP ? Infinity : 3 * this.usualError + 0.05 * predicted
    const error = Math.max(-most, Math.min(most, ms - predicted))
    if (this.ready && predicted > 0) this.ratio += RECENT * (ms / predicted - this.ratio)
    if (this.ready) this.usualError += (Math.abs(error) - this.usualError) * (this.steps < 4 * WARM_UP ? 0.2 : 0.05)
    return predicted + error
  }

  // A −= φ · A x xᵀ A / (xᵀ A x), and the evidence in the same way: what is known along x, and nothing else.
  private forget(): void {
    const { information, evidence, x, ax } = this
    let xax = 0
    let xb = 0
    for (let i = 0; i < FEATURES; i++) {
      let sum = 0
      for (let j = 0; j < FEATURES; j++) sum += information[i * FEATURES + j]! * x[j]!
      ax[i] = sum
      xax += sum * x[i]!
      xb += evidence[i]! * x[i]!
    }
    const scale = FORGETTING / xax
    for (let i = 0; i < FEATURES; i++) {
      evidence[i]! -= scale * ax[i]! * xb
      for (let j = 0; j < FEATURES; j++) information[i * FEATURES + j]! -= scale * ax[i]! * ax[j]!
    }
  }

  // Least squares with θ ≥ 0 by coordinate descent from the last solution.
  private solve(): void {
    const { information, evidence, theta } = this
    for (let sweep = 0; sweep < SWEEPS; sweep++)
      for (let i = 0; i < FEATURES; i++) {
        let gradient = evidence[i]!
        for (let j = 0; j < FEATURES; j++) gradient -= information[i * FEATURES + j]! * theta[j]!
        theta[i] = Math.max(0, theta[i]! + gradient / information[i * FEATURES + i]!)
      }
  }
}

/** Pairs of `count` tokens from `start` on and all that they see. */
export const pairs = (start: number, count: number): number => count * start + (count * (count + 1)) / 2

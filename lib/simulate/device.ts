// A device that computes nothing and only says how long a step would take: a roofline over what the step reads and
// multiplies. It is not the scheduler's own model of time, which has to learn it from the outside.
import { pagesFor } from '../cache/block-allocator.ts'
import type { Limits } from '../scheduler/limits.ts'
import type { StepPlan } from '../scheduler/plan.ts'
import type { Targets } from '../scheduler/service.ts'

export interface Profile {
  about: string
  limits: Limits
  pages: number
  /** Milliseconds of every step: launches, and the weights read once. */
  stepMs: number
  weightsMs: number
  /** … of every token's multiplications; hidden behind the weights while those take longer. */
  tokenMs: number
  /** … of a token of KV cache read, and of a pair of tokens in attention. */
  kvMs: number
  pairMs: number
  rowMs: number
  /** … of a page copied out of the KV cache or back. */
  pageMs: number
  /** What the classes may expect of it. */
  targets: { interactive: Targets; standard: Targets; batch: Targets }
}

// An 8-billion-parameter model in 16 bits with 8 KV heads of 128 in 32 layers: 16 GB of weights at 2.5 TB/s, 16 GFLOP a
// token at 500 TFLOP/s, 128 KiB of KV a token, 60 GB left for it.
const H100_8B: Profile = {
  about: '8 B parameters in 16 bits on one H100, 60 GB of KV cache',
  limits: { maxTokens: 2048, maxSequences: 256, maxRows: 256, context: 131_072 },
  pages: pagesFor(457_000),
  stepMs: 0.5,
  weightsMs: 6.4,
  tokenMs: 0.032,
  kvMs: 5.2e-5,
  pairMs: 1.7e-6,
  rowMs: 0.004,
  pageMs: 0.084, // 4 MiB at 50 GB/s
  targets: {
    interactive: { ttftMs: 500, tpotMs: 50 },
    standard: { ttftMs: 2000, tpotMs: 100 },
    batch: { ttftMs: 60_000, tpotMs: 1000 },
  },
}

// 135 million parameters in 4 bits on two cores: what `kvasir chat smollm2:135m` runs on.
const CPU_135M: Profile = {
  about: '135 M parameters in 4 bits on two cores',
  limits: { maxTokens: 512, maxSequences: 64, maxRows: 64, context: 8192 },
  pages: 16_384,
  stepMs: 0.5,
  weightsMs: 4,
  tokenMs: 0.9,
  kvMs: 5e-5,
  pairMs: 5e-5,
  rowMs: 0.15,
  pageMs: 0.03, // 0.39 MB at 13 GB/s
  targets: {
    interactive: { ttftMs: 1000, tpotMs: 100 },
    standard: { ttftMs: 10_000, tpotMs: 500 },
    batch: { ttftMs: 300_000, tpotMs: 10_000 },
  },
}

export const PROFILES: Readonly<Record<string, Profile>> = { 'h100-8b': H100_8B, 'cpu-135m': CPU_135M }

export class SimulatedDevice {
  constructor(
    private readonly profile: Profile,
    /** Uniform in [0, 1): steps differ by up to 5 % either way. */
    private readonly random: () => number,
  ) {}

  /** Milliseconds of copies, and of the call. */
  swapTime(pages: number): number {
    return (0.02 + this.profile.pageMs * pages) * (0.95 + 0.1 * this.random())
  }

  /** Milliseconds of a step. */
  time(plan: StepPlan): number {
    const { stepMs, weightsMs, tokenMs, kvMs, pairMs, rowMs } = this.profile
    let kv = 0
    let pairs = 0
    for (const { start, count } of plan.chunks)
      if (count === 1) kv += start + 1
      else {
        kv += start + count
        pairs += count * (start + count / 2)
      }
    const linear = Math.max(weightsMs, tokenMs * plan.tokens)
    return (stepMs + linear + kvMs * kv + pairMs * pairs + rowMs * plan.rows.length) * (0.95 + 0.1 * this.random())
  }
}

// What load() would choose for a model on this machine when it is told nothing, and why.
import { type MemoryPlan, planMemory } from '../engine/plan-memory.ts'
import { planWeights, type WeightsPlan } from '../engine/plan-weights.ts'
import type { Machine } from '../machine/machine.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'

export interface Choices extends Pick<MemoryPlan, 'kv' | 'limits' | 'kvBytes' | 'why'> {
  /** As chosen, and what the other formats would take. */
  weights: WeightsPlan
  formats: { format: string; bytes: number }[]
}

export function choicesFor(checkpoint: Checkpoint, host: Machine): Choices {
  const weights = planWeights(checkpoint, 'auto', host.available)
  const { kv, limits, kvBytes, why } = planMemory(checkpoint.config, {}, host, { weightBytes: weights.bytes })
  const asIs = planWeights(checkpoint, 'as-is', host.available).bytes
  const smaller = (['q8_0', 'q4_k'] as const)
    .map((format) => planWeights(checkpoint, format, host.available))
    .flatMap(({ format, bytes }) => (format ? [{ format, bytes }] : []))
  return { kv, limits, kvBytes, why, weights, formats: [{ format: 'as-is', bytes: asIs }, ...smaller] }
}

/** Tokens a second of one conversation that reading the weights allows; attention and arithmetic come on top. */
export const mostTokens = (bandwidth: number, weightBytes: number): number => bandwidth / weightBytes

export const size = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`

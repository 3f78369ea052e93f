// A checkpoint in the format that was chosen for its weights: the file in the cache when there is one, made now when there
// is none. A disk that is full is no reason not to answer: then the original is used.
import { KvasirError } from '../errors.ts'
import type { PullOptions } from '../hub/pull.ts'
import { freeDisk } from '../machine/machine.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { planWeights, type WeightsOption, type WeightsPlan } from './plan-weights.ts'

/** Stays free on the disk of the cache when nobody asked for smaller weights. */
const SPARE = 1e9

export interface ChosenWeights {
  checkpoint: Checkpoint
  plan: WeightsPlan
}

export async function smallerWeights(
  original: Checkpoint,
  option: WeightsOption,
  available: number,
  options: PullOptions,
): Promise<ChosenWeights> {
  const plan = planWeights(original, option, available)
  const { format } = plan
  if (format === undefined) return { checkpoint: original, plan }
  const { isRequantized, quantizedFolder, requantized } = await import('../hub/requantized.ts')
  try {
    if (option === 'auto' && !(await isRequantized(original, format))) {
      const free = freeDisk(quantizedFolder())
      if (free < plan.bytes + SPARE)
        throw new KvasirError('KV_DISK', `the cache's disk has ${gb(free)} free, ${gb(plan.bytes + SPARE)} are needed`)
    }
    return { checkpoint: await requantized(original, format, options), plan }
  } catch (error) {
    const { code, message } = error as KvasirError
    if (code !== 'KV_DISK' && !(option === 'auto' && code === 'KV_UNSUPPORTED')) throw error
    const why = `not in ${format}: ${message}`
    process.emitWarning(`the weights stay as they are, ${why}`, { type: 'KvasirWarning', code })
    return { checkpoint: original, plan: { ...planWeights(original, 'as-is', available), why } }
  }
}

const gb = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`

// The format that the weights of a model are kept in: as its files have them, or fewer bits where memory asks for it. A
// person who chose a checkpoint chose its precision, so only a model that does not fit in memory is made smaller unasked.
import { expected } from '../sampling/check.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { FORMATS, isWeightDtype, type WeightDtype } from '../weights/formats.ts'
import { quantizedBytes } from '../weights/quantize-plan.ts'

/** 'auto': as the files have them unless that does not fit in memory; 'as-is'; or a format, as of `kvasir quantize`. */
export type WeightsOption = 'auto' | 'as-is' | Exclude<WeightDtype, 'f32'>

export interface WeightsPlan {
  /** Undefined: as the files have them. */
  format: WeightDtype | undefined
  bytes: number
  /** Bytes of them that stay in memory; undefined: all. */
  room?: number
  why: string
}

/** Of the memory that is available, the share that weights may have: the KV cache, and what others need, is not small. */
const SHARE = 0.85
/** Fewer bits are worth a file of their own from here on. */
const WORTH = 0.9

export function checkedWeights(option: unknown = 'auto'): WeightsOption {
  const known =
    typeof option === 'string' && option !== 'f32' && (/^(auto|as-is)$/.test(option) || isWeightDtype(option))
  if (known) return option as WeightsOption
  const formats = Object.keys(FORMATS).filter((name) => name !== 'f32')
  throw expected('weights', `'auto', 'as-is', or ${formats.join(', ')}`, option)
}

/** Weights that do not fit leave some of their share to what is read of them and dropped again. */
const KEPT = 0.8

/** `available`: bytes that the weights and everything else may take, in memory or on a card. */
export function planWeights(checkpoint: Checkpoint, option: WeightsOption, available: number): WeightsPlan {
  const plan = formatOf(checkpoint, option, available)
  const room = SHARE * available
  return plan.bytes <= room ? plan : { ...plan, room: Math.floor(KEPT * room) }
}

function formatOf(checkpoint: Checkpoint, option: WeightsOption, available: number): WeightsPlan {
  const bytes = [...checkpoint.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0)
  const asIs = (why: string): WeightsPlan => ({ format: undefined, bytes, why })
  if (option === 'as-is') return asIs('as asked')
  if (option !== 'auto') {
    const size = quantizedBytes(checkpoint, option)
    if (size >= WORTH * bytes) return asIs(`they would be no smaller in ${option}`)
    return { format: option, bytes: size, why: 'as asked' }
  }
  const room = SHARE * available
  if (bytes <= room) return asIs('as the files have them, which fits')
  const few = fourBits(checkpoint)
  const smaller = (['q8_0', few] as const)
    .map((format) => ({ format, bytes: quantizedBytes(checkpoint, format) }))
    .filter((one) => one.bytes < WORTH * bytes)
  const fitting = smaller.find((one) => one.bytes <= room)
  const want = `${gb(bytes)} do not fit in the ${gb(room)} that weights may take of ${gb(available)}`
  if (fitting) return { ...fitting, why: want }
  const least = smaller.at(-1)
  return least
    ? { ...least, why: `${want}, nor does this: what is missing is read again for every token` }
    : asIs(`${want}: what is missing is read again for every token`)
}

// The better of the two where its blocks of 256 fit the rows; other rows would fall back to 8 bits.
function fourBits(checkpoint: Checkpoint): 'q4_k' | 'q4_0' {
  return quantizedBytes(checkpoint, 'q4_k') <= 1.05 * quantizedBytes(checkpoint, 'q4_0') ? 'q4_k' : 'q4_0'
}

const gb = (bytes: number) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`)

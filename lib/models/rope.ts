// Rotary frequencies (arXiv 2104.09864) and their scalings, with the formulas of transformers' modeling_rope_utils.
//
// A pair i of a head turns by position · invFreq[i]; cosines and sines are multiplied by `scale`. Everything is
// computed in double precision and rounded once.
import { KvasirError } from '../errors.ts'
import type { ModelConfig, RopeScaling } from '../weights/config.ts'

export interface RopeParameters {
  invFreq: Float32Array
  scale: number
}

/** `factors`: divisors of the frequencies, as in a GGUF file's rope_freqs.weight; they replace a llama3 scaling. */
export function ropeParameters(config: ModelConfig, factors?: Float32Array): RopeParameters {
  const dim = config.head_dim
  const plain = Array.from({ length: dim / 2 }, (_, i) => config.rope_theta ** ((-2 * i) / dim))
  if (factors) {
    if (factors.length !== plain.length)
      throw new KvasirError('KV_FORMAT', `rope_freqs.weight has ${factors.length} values, expected ${plain.length}`)
    return { invFreq: Float32Array.from(plain, (f, i) => f / factors[i]!), scale: 1 }
  }
  const scaling = config.rope_scaling ?? { rope_type: 'default' }
  const scale = scalings[scaling.rope_type]
  if (!scale)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `rope_scaling of type ${JSON.stringify(scaling.rope_type)}; Kvasir knows ${Object.keys(scalings).join(', ')}`,
    )
  const scaled = scale(plain, scaling, config)
  return { invFreq: Float32Array.from(scaled.invFreq), scale: scaled.scale }
}

/**
 * The longest context that a model's rotary table is right for. With a dynamic scaling the frequencies would change
 * beyond max_position_embeddings; up to there they are the plain ones.
 */
export const maxContext = (config: ModelConfig): number => config.max_position_embeddings

type Scaling = (plain: number[], scaling: RopeScaling, config: ModelConfig) => { invFreq: number[]; scale: number }

const need = (scaling: RopeScaling, name: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number => {
  const value = scaling[name]
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
  throw new KvasirError('KV_FORMAT', `rope_scaling.${name} is ${value}, expected a positive number`)
}

const identity: Scaling = (plain) => ({ invFreq: plain, scale: 1 })

const linear: Scaling = (plain, scaling) => {
  const factor = need(scaling, 'factor')
  return { invFreq: plain.map((f) => f / factor), scale: 1 }
}

/** Llama 3.1: long waves are slowed down, short ones kept, those between blended. */
const llama3: Scaling = (plain, scaling, config) => {
  const factor = need(scaling, 'factor')
  const low = need(scaling, 'low_freq_factor')
  const high = need(scaling, 'high_freq_factor')
  const original = scaling.original_max_position_embeddings ?? config.max_position_embeddings
  const invFreq = plain.map((f) => {
    const wavelength = (2 * Math.PI) / f
    if (wavelength > original / low) return f / factor
    if (wavelength < original / high) return f
    const smooth = (original / wavelength - low) / (high - low)
    return ((1 - smooth) * f) / factor + smooth * f
  })
  return { invFreq, scale: 1 }
}

/** YaRN (arXiv 2309.00071): interpolates by wave length and sharpens attention by `scale`. */
const yarn: Scaling = (plain, scaling, config) => {
  const original = scaling.original_max_position_embeddings ?? config.max_position_embeddings
  const factor = scaling.factor ?? config.max_position_embeddings / original
  const dim = config.head_dim
  const turnsAt = (rotations: number) =>
    (dim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(config.rope_theta))
  const low = Math.max(Math.floor(turnsAt(scaling.beta_fast || 32)), 0)
  const high = Math.min(Math.ceil(turnsAt(scaling.beta_slow || 1)), dim - 1)
  const width = low === high ? 0.001 : high - low
  const invFreq = plain.map((f, i) => {
    const ramp = Math.min(Math.max((i - low) / width, 0), 1)
    return (f / factor) * ramp + f * (1 - ramp)
  })

  const sharpen = (mscale: number) => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1)
  const { mscale, mscale_all_dim } = scaling
  const derived = mscale && mscale_all_dim ? sharpen(mscale) / sharpen(mscale_all_dim) : sharpen(1)
  return { invFreq, scale: scaling.attention_factor ?? derived }
}

const scalings: Readonly<Record<string, Scaling>> = {
  default: identity,
  linear,
  dynamic: identity, // see maxContext()
  llama3,
  yarn,
}

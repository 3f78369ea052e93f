// Which device computes: the processor, or an NVIDIA card with its driver and our kernels for it.
import { fromNative, KvasirError } from '../errors.ts'
import { kernelFolders, type NativeCuda, native } from '../native.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'

/** 'auto': a card when there is one that works, else the processor. 'cuda' is the first card, 'cuda:1' the second. */
export type DeviceName = 'cpu' | 'cuda' | 'auto' | `cuda:${number}`

/** Checks the option; the number of a card, or null for the processor. */
function deviceOption(value: unknown = 'cpu'): { card: number | null; required: boolean } {
  if (value === 'cpu') return { card: null, required: true }
  if (value === 'auto') return { card: 0, required: false }
  const card = typeof value === 'string' ? /^cuda(?::(\d{1,3}))?$/.exec(value) : null
  if (!card)
    throw new KvasirError(
      'KV_ARGUMENT',
      `device: expected 'cpu', 'cuda', 'cuda:1' (the second card) or 'auto', found ${JSON.stringify(value) ?? String(value)}`,
    )
  return { card: Number(card[1] ?? 0), required: true }
}

/** The card that an option asks for, ready; null: the processor. Rejects with KV_NOT_FOUND or KV_UNSUPPORTED. */
export async function openDevice(option: unknown): Promise<NativeCuda | null> {
  const { card, required } = deviceOption(option)
  if (card === null) return null
  try {
    return await native().openCuda(card, kernelFolders())
  } catch (error) {
    const { code } = error as { code?: string }
    if (!required && (code === 'KV_NOT_FOUND' || code === 'KV_UNSUPPORTED')) return null
    throw fromNative(error)
  }
}

/** Bytes of a card for the KV cache: most of what the weights, which take a little more there, leave. */
export function cardBudget(card: NativeCuda, checkpoint: Checkpoint): number {
  let weights = 0
  for (const { bytes } of checkpoint.tensors.values()) weights += bytes
  return Math.max(0, 0.8 * (card.freeMemory - 1.05 * weights))
}

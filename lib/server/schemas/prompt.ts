// A text or its token ids, one or several.
import { z } from 'zod'
import type { Prompt } from '../../engine/types.ts'

const ids = z.array(z.number().int().min(0)).min(1)

/** At most `most` of them. */
export const prompts = (most: number) =>
  z.union([z.string(), ids, z.array(z.string()).min(1).max(most), z.array(ids).min(1).max(most)])

export function promptList(value: z.output<ReturnType<typeof prompts>>): Prompt[] {
  if (typeof value === 'string') return [value]
  return typeof value[0] === 'number' ? [value as number[]] : (value as Prompt[])
}

// The answers of several generations.
import type { Answer } from '../engine/answer.ts'
import type { Generation } from '../engine/generation.ts'

/** All answers, or the first failure: then the others are ended. */
export async function allOf(generations: readonly Generation[]): Promise<Answer[]> {
  try {
    return await Promise.all(generations)
  } catch (error) {
    for (const generation of generations) generation.abort()
    throw error
  }
}

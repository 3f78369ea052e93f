// Several generations as one: their answers, or their pieces as they come, each with the number of its own.
import type { Answer, Piece } from '../engine/answer.ts'
import type { Generation } from '../engine/generation.ts'

export interface NumberedPiece {
  from: number
  piece: Piece
}

/** All answers, or the first failure: then the others are ended. */
export async function allOf(generations: readonly Generation[]): Promise<Answer[]> {
  try {
    return await Promise.all(generations)
  } catch (error) {
    for (const generation of generations) generation.abort()
    throw error
  }
}

/** Ends with the last of them, and fails with the first that fails: then the others are ended. */
export async function* merged(generations: readonly Generation[]): AsyncGenerator<NumberedPiece> {
  const iterators = generations.map((generation) => generation[Symbol.asyncIterator]())
  const next = async (from: number) => ({ from, result: await iterators[from]!.next() })
  const waiting = new Map(iterators.map((_, from) => [from, next(from)]))
  try {
    while (waiting.size > 0) {
      const { from, result } = await Promise.race(waiting.values())
      if (result.done) waiting.delete(from)
      else {
        waiting.set(from, next(from))
        yield { from, piece: result.value }
      }
    }
  } finally {
    for (const generation of generations) generation.abort()
    await Promise.allSettled(waiting.values())
  }
}

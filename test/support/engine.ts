// An engine over the fake device, and text made of three letters, so that stop strings are met by chance.
import type { Piece } from '../../lib/engine/answer.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { type Detokenizer, GenerateRequest } from '../../lib/engine/generate-request.ts'
import { Generation } from '../../lib/engine/generation.ts'
import type { GenerateOptions } from '../../lib/engine/types.ts'
import { samplingParams } from '../../lib/sampling/params.ts'
import { SERVICE_OPTIONS, serviceOf } from '../../lib/scheduler/service.ts'
import { FakeExecutor, VOCAB } from './fake-executor.ts'

/** The text of a token: one to four letters out of a, b, c. */
export const textOf = (id: number): string => id.toString(3).replace(/[012]/g, (digit) => 'abc'[Number(digit)]!)

export class FakeDetokenizer implements Detokenizer {
  push(id: number): string {
    return textOf(id)
  }
  flush(): string {
    return ''
  }
}

export function setup({
  pages = 64,
  maxTokens = 64,
  maxSequences = 8,
  maxRows = 16,
  context = 512,
  prefixCache = true,
  places = 0,
} = {}) {
  const executor = new FakeExecutor({ pages, slots: maxSequences, places })
  const swap = places > 0 ? { pages: places, guessMs: 0.1, always: true } : undefined
  const limits = { maxTokens, maxSequences, maxRows, context }
  const engine = new Engine({ executor, pages, limits, prefixCache, swap })

  const generate = (prompt: number[], options: GenerateOptions = {}, signal?: AbortSignal, detokenizer?: Detokenizer) =>
    new Generation(
      engine,
      async (listener, createdAt) =>
        new GenerateRequest(listener, {
          prompt: Int32Array.from(prompt),
          params: samplingParams(options, VOCAB, [], SERVICE_OPTIONS),
          service: serviceOf(options),
          longest: engine.longest,
          program: 0,
          detokenizer: () => detokenizer ?? new FakeDetokenizer(),
          createdAt,
        }),
      signal,
    )
  return { executor, engine, generate }
}

export async function piecesOf(generation: AsyncIterable<Piece>): Promise<Piece[]> {
  const pieces: Piece[] = []
  for await (const piece of generation) pieces.push(piece)
  return pieces
}

/** The load when no step is in flight; fails when a page or a slot is lost. */
export async function idle({ engine }: ReturnType<typeof setup>) {
  await engine.settled()
  engine.check()
  return engine.load()
}

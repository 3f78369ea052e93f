// What generate() and chat() return: await it for the whole answer, iterate it for the pieces as they come, or both.
// Pieces are kept, so a slow reader slows nobody and an iterator that starts late misses nothing.

import { signalOf } from '../sampling/check.ts'
import { aborted, onAbort } from './aborted.ts'
import type { Answer, Piece } from './answer.ts'
import type { Listener } from './generate-request.ts'

/** Where requests are computed: the engine, or another process (lib/electron). */
export interface Lane<R> {
  submit(request: R): void
  /** Ends it: with `error`, or without one with what it has so far. */
  cancel(request: R, error?: unknown): void
}

/** The pieces of a generation one by one, with no promise between them. */
export interface PieceReader {
  /** The next piece; undefined while there is none. */
  take(): Piece | undefined
  /** True when no more pieces come. Throws what the generation has failed with. */
  over(): boolean
}

/** Makes the request, once its options are checked and its prompt is tokenised. */
export type Prepare<R> = (listener: Listener, createdAt: number) => Promise<R>

/**
 * `await generation` gives the Answer. `for await (const piece of generation)` streams it; leaving the loop early ends
 * the request. Rejects with KV_ABORTED when the caller's AbortSignal fires; after abort() or an early `break` it
 * resolves with what was generated and finishReason 'abort'.
 */
export class Generation<R = unknown> implements PromiseLike<Answer>, AsyncIterable<Piece> {
  private readonly createdAt = performance.now()
  private readonly pieces: Piece[] = []
  private read = 0 // pieces that some reader has; the others may still grow
  private request: R | undefined
  private answer: Answer | undefined
  private error: unknown
  private over = false
  private waiting: (() => void)[] = []
  private readonly readers: (() => void)[] = []
  private promise: Promise<Answer> | undefined
  private unlisten = () => {}

  constructor(
    private readonly lane: Lane<R>,
    prepare: Prepare<R>,
    signal?: AbortSignal,
  ) {
    const listener: Listener = {
      piece: (piece) => {
        this.keep(piece)
        this.notify()
      },
      resolve: (answer) => this.settle(answer, undefined),
      reject: (error) => this.settle(undefined, error),
    }
    void this.begin(prepare, listener, signal)
  }

  /** Ends the request now; awaiting it gives what was generated so far. */
  abort(): void {
    this.end()
  }

  // A promise is made only for who asks: a failed call that was merely iterated is no unhandled rejection.
  // biome-ignore lint/suspicious/noThenProperty: a generation is meant to be awaited
  then<A = Answer, B = never>(
    resolved?: ((answer: Answer) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.promise ??= this.whole()
    return this.promise.then(resolved, rejected)
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Answer | B> {
    return this.then(undefined, rejected)
  }

  finally(done?: (() => void) | null): Promise<Answer> {
    return this.then().finally(done)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void, undefined> {
    try {
      for (let next = 0; ; ) {
        while (next < this.pieces.length) {
          const piece = this.pieces[next++]!
          this.read = Math.max(this.read, next)
          yield piece
        }
        if (this.over) break
        await this.change()
      }
    } finally {
      this.end() // the reader left early; nothing happens when the answer is complete
    }
    if (!this.answer) throw this.error
  }

  /** For who has hundreds of them: `changed` is called whenever there is a piece to take, and at the end. */
  reader(changed: () => void): PieceReader {
    let next = 0
    this.readers.push(changed)
    return {
      take: () => {
        if (next >= this.pieces.length) return undefined
        this.read = Math.max(this.read, next + 1)
        return this.pieces[next++]
      },
      over: () => {
        if (this.over && !this.answer) throw this.error
        return this.over && next >= this.pieces.length
      },
    }
  }

  private async begin(prepare: Prepare<R>, listener: Listener, signal: AbortSignal | undefined): Promise<void> {
    try {
      if (signalOf(signal)?.aborted) throw aborted(signal!)
      this.unlisten = onAbort(signal, (error) => this.end(error))
      const request = await prepare(listener, this.createdAt)
      this.request = request
      if (this.over) return
      this.lane.submit(request)
    } catch (error) {
      this.settle(undefined, error)
    }
  }

  // What nobody has read yet is joined: an answer that is only awaited, or read slowly, costs no object a token.
  private keep(piece: Piece): void {
    const last = this.pieces.length > this.read ? this.pieces.at(-1)! : undefined
    if (last === undefined || last.index !== piece.index) this.pieces.push(piece)
    else {
      last.text += piece.text
      for (const token of piece.tokens) last.tokens.push(token)
      for (const logprob of piece.logprobs ?? []) last.logprobs!.push(logprob)
    }
  }

  private end(error?: unknown): void {
    if (this.over) return
    if (this.request) this.lane.cancel(this.request, error)
    else this.settle(error === undefined ? nothing(this.createdAt) : undefined, error)
  }

  private settle(answer: Answer | undefined, error: unknown): void {
    if (this.over) return
    this.over = true
    this.answer = answer
    this.error = error
    this.unlisten()
    this.notify()
  }

  private async whole(): Promise<Answer> {
    while (!this.over) await this.change()
    if (!this.answer) throw this.error
    return this.answer
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private notify(): void {
    if (this.waiting.length === 0 && this.readers.length === 0) return
    const waiting = this.waiting
    this.waiting = []
    for (const resume of waiting) resume()
    for (const changed of this.readers) changed()
  }
}

// The answer of a call that ended before its prompt was ready.
function nothing(createdAt: number): Answer {
  const waited = performance.now() - createdAt
  return {
    text: '',
    tokens: [],
    finishReason: 'abort',
    usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
    timings: { queueMs: waited, ttftMs: waited, prefillMs: 0, decodeMs: 0 },
  }
}

// The pieces of one or more generations on their way to a client, a few clients in each turn of the event loop. A step gives
// every stream a token: a promise and a turn of its own for each would cost more than what is done with it.
import type { Piece } from '../engine/answer.ts'
import type { Generation, PieceReader } from '../engine/generation.ts'
import type { Pace } from './pace.ts'

/** Takes a piece of generation number `from`. Gives a promise where there is no room for more until it resolves. */
export type PieceSink = (piece: Piece, from: number) => Promise<void> | undefined

export class PieceFlow {
  private readonly readers: PieceReader[]
  private next: Piece | undefined // of readers[from], taken and not told yet
  private from = 0
  private changed = () => {}

  constructor(
    private readonly pace: Pace,
    generations: readonly Generation[],
  ) {
    this.readers = generations.map((generation) => generation.reader(() => this.changed()))
  }

  /** Resolves when there is a first piece, or none will come. Rejects when one of the generations fails before. */
  begun(): Promise<void> {
    return this.whenever(() => this.look() || this.over())
  }

  /** Gives every piece to `sink`. Resolves when all generations have ended, rejects when one of them or `sink` fails. */
  each(sink: PieceSink): Promise<void> {
    return this.whenever((again) => {
      while (this.look()) {
        const piece = this.next!
        this.next = undefined
        const room = sink(piece, this.from)
        if (!room) continue
        again(room)
        return false
      }
      return this.over()
    })
  }

  // Calls `step` in a turn of the event loop now, and whenever there is something new, until it returns true.
  private whenever(step: (again: (after: Promise<void>) => void) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let queued = false // or waiting for room
      const turn = () => {
        queued = false
        try {
          if (step(again)) end(resolve)
        } catch (error) {
          end(() => reject(error))
        }
      }
      const again = (after: Promise<void>) => {
        queued = true
        after.then(
          () => this.pace.run(turn),
          (error) => end(() => reject(error)),
        )
      }
      const end = (settle: () => void) => {
        this.changed = () => {}
        settle()
      }
      this.changed = () => {
        if (queued) return
        queued = true
        this.pace.run(turn)
      }
      this.changed()
    })
  }

  private look(): boolean {
    for (let from = 0; this.next === undefined && from < this.readers.length; from++) {
      this.next = this.readers[from]!.take()
      this.from = from
    }
    return this.next !== undefined
  }

  private over(): boolean {
    let over = true
    for (const reader of this.readers) if (!reader.over()) over = false
    return over
  }
}

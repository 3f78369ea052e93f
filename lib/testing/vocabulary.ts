// The tokens of a scripted model: words with the space before them, numbered as they are first seen. An error can be a
// token too: it is thrown where its text would be shown, so it fails the request that it belongs to and no other.
import type { Detokenizer } from '../engine/generate-request.ts'
import type { TextCodec } from '../engine/types.ts'
import { KvasirError } from '../errors.ts'

export class Vocabulary implements TextCodec {
  /** Ids are below. */
  readonly size = 2 ** 20
  /** The token that ends an answer. */
  readonly end = 0
  private readonly texts: (string | Error)[] = ['']
  private readonly ids = new Map<string, number>()

  controlTokens(): string[] {
    return []
  }

  async encode(text: string): Promise<Int32Array> {
    return Int32Array.from(this.words(text))
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => {
      const text = this.texts[id]
      return typeof text === 'string' ? text : '\ufffd'
    }).join('')
  }

  bytes(id: number): Uint8Array {
    return Buffer.from(this.decode([id]))
  }

  detokenizer(): Detokenizer {
    return {
      push: (id) => {
        const text = this.texts[id]
        if (text instanceof Error) throw text
        return text ?? '\ufffd'
      },
      flush: () => '',
    }
  }

  /** A text as tokens, a word each. */
  words(text: string): number[] {
    return (text.match(/\s*\S+|\s+$/g) ?? []).map((word) => this.token(word))
  }

  /** The token with exactly this text, or that throws this error. */
  token(text: string | Error): number {
    const known = typeof text === 'string' ? this.ids.get(text) : undefined
    if (known !== undefined) return known
    const id = this.texts.length
    if (id === this.size)
      throw new KvasirError('KV_TOO_LONG', `a scripted model knows ${this.size} words; make a new one`)
    this.texts.push(text)
    if (typeof text === 'string') this.ids.set(text, id)
    return id
  }
}

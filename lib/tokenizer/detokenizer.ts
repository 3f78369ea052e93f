// Ids to text one by one. A character may span tokens, so its first bytes are held back until the rest has come; the
// pieces joined are what decoding all ids at once gives.
import type { NativeTokenizer } from '../native.ts'

/** The texts of tokens that hold whole characters, met so far, by id; shared by the answers of a model. */
export class TokenTexts {
  readonly #tokenizer: Pick<NativeTokenizer, 'decode'>
  readonly #texts: (string | null)[] = []
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
  readonly #id = new Int32Array(1)

  constructor(tokenizer: Pick<NativeTokenizer, 'decode'>) {
    this.#tokenizer = tokenizer
  }

  /** The text of a token inside a text, control tokens left out; null where it holds a part of a character. */
  of(id: number): string | null {
    const known = this.#texts[id]
    if (known !== undefined) return known
    const text = this.#decoded(id)
    this.#texts[id] = text
    return text
  }

  bytes(id: number, special: boolean, inside: boolean): Uint8Array {
    this.#id[0] = id
    return this.#tokenizer.decode(this.#id, special, inside)
  }

  #decoded(id: number): string | null {
    try {
      return this.#decoder.decode(this.bytes(id, false, true))
    } catch {
      return null
    }
  }
}

export class Detokenizer {
  readonly #texts: TokenTexts
  readonly #shown: ReadonlySet<number>
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #started = false
  #held = false // maybe a part of a character

  /** shown: control tokens that are part of the text; the others are left out. */
  constructor(texts: TokenTexts, shown: ReadonlySet<number> = new Set()) {
    this.#texts = texts
    this.#shown = shown
  }

  /** The text that became certain with this id; '' while a character is unfinished. */
  push(id: number): string {
    const special = this.#shown.has(id)
    const whole = special ? null : this.#texts.of(id)
    if (whole === '') return ''
    if (whole !== null && this.#started && !this.#held) return whole
    const bytes = this.#texts.bytes(id, special, true)
    if (bytes.length === 0) return ''
    this.#held = whole === null
    if (this.#started) return this.#decoder.decode(bytes, { stream: true })
    // The first token with text: some tokenizers put a space before it, which is not part of the text.
    this.#started = true
    return this.#decoder.decode(this.#texts.bytes(id, special, false), { stream: true })
  }

  /** What is held back, as U+FFFD, when no more ids come. */
  flush(): string {
    return this.#decoder.decode()
  }
}

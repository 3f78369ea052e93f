// Ids to text one by one. A character may span tokens, so its first bytes are held back until the rest has come; the
// pieces joined are what decoding all ids at once gives.
import type { NativeTokenizer } from '../native.ts'

export class Detokenizer {
  readonly #tokenizer: Pick<NativeTokenizer, 'decode'>
  readonly #shown: ReadonlySet<number>
  readonly #id = new Int32Array(1)
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #started = false

  /** shown: control tokens that are part of the text; the others are left out. */
  constructor(tokenizer: Pick<NativeTokenizer, 'decode'>, shown: ReadonlySet<number> = new Set()) {
    this.#tokenizer = tokenizer
    this.#shown = shown
  }

  /** The text that became certain with this id; '' while a character is unfinished. */
  push(id: number): string {
    this.#id[0] = id
    const special = this.#shown.has(id)
    const bytes = this.#tokenizer.decode(this.#id, special, true)
    if (bytes.length === 0 || this.#started) return this.#decoder.decode(bytes, { stream: true })
    // The first token with text: some tokenizers put a space before it, which is not part of the text.
    this.#started = true
    return this.#decoder.decode(this.#tokenizer.decode(this.#id, special, false), { stream: true })
  }

  /** What is held back, as U+FFFD, when no more ids come. */
  flush(): string {
    return this.#decoder.decode()
  }
}

// Text to ids and back. The work is in native/tokenizer, off the event loop; this face adds text decoding and turns
// native errors into KvasirErrors.
import { fromNative } from '../errors.ts'
import { type NativeFile, type NativeTokenizer, native, type TokenizerSource } from '../native.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { Detokenizer, TokenTexts } from './detokenizer.ts'
import { MARKS } from './marks.ts'

export class Tokenizer {
  readonly #native: NativeTokenizer
  readonly #texts: TokenTexts
  #marks: ReadonlySet<number> | undefined

  constructor(tokenizer: NativeTokenizer) {
    this.#native = tokenizer
    this.#texts = new TokenTexts(tokenizer)
  }

  /** What the addon knows it as. */
  get native(): NativeTokenizer {
    return this.#native
  }

  /** Ids below this number may have a token; a checkpoint's embedding may have more rows. */
  get vocabSize(): number {
    return this.#native.vocabSize
  }

  /** The token that begins a text, or −1. */
  get bos(): number {
    return this.#native.bos
  }

  /** The token that ends a text, or −1. */
  get eos(): number {
    return this.#native.eos
  }

  /**
   * The ids of a text. special: with BOS and EOS as the checkpoint asks. parse: read <|…|> as control tokens; leave it
   * off for text that comes from strangers. A chat template writes its own BOS: encode what it gives with special off
   * and parse on. mark: a character that is taken away, and keeps what follows it from being a control token.
   */
  async encode(text: string, special = true, parse = false, mark?: string): Promise<Int32Array> {
    return attempt(() => this.#native.encode(text, special, parse, mark))
  }

  /** What control tokens look like in a text. */
  controlTokens(): string[] {
    return this.#native.controlTokens()
  }

  /**
   * The text of ids; bytes that are not UTF-8 become U+FFFD. Control tokens are left out unless `special`, and so are
   * ids that have no token.
   */
  decode(ids: Int32Array, special = false): string {
    try {
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#native.decode(ids, special))
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** The bytes of one token inside a text; control tokens as the checkpoint writes them. */
  bytes(id: number): Uint8Array {
    return this.#native.decode(Int32Array.of(id), true, true)
  }

  /** Turns ids into text one by one. marks: with the control tokens that give an answer its form. */
  detokenizer(marks = false): Detokenizer {
    return new Detokenizer(this.#texts, marks ? this.marks() : undefined)
  }

  private marks(): ReadonlySet<number> {
    this.#marks ??= new Set(MARKS.map((mark) => this.idOf(mark)).filter((id) => this.isSpecial(id)))
    return this.#marks
  }

  /** The id of a token as the checkpoint writes it, or −1. */
  idOf(token: string): number {
    return this.#native.idOf(token)
  }

  /** What the checkpoint writes for a control token; '' for −1. */
  textOf(id: number): string {
    return this.decode(Int32Array.of(id), true)
  }

  /** True for control tokens, which are not text. */
  isSpecial(id: number): boolean {
    return this.#native.isSpecial(id)
  }

  /** Gives its memory back; every other call fails with KV_DISPOSED then. */
  close(): void {
    this.#native.close()
  }
}

/** Rejects with KV_FORMAT for a malformed file and KV_UNSUPPORTED, naming it, for a part that is not known. */
export async function createTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  return new Tokenizer(await attempt(() => native().createTokenizer(source)))
}

/** The tokenizer of a checkpoint; `files` maps its file. */
export async function openTokenizer(
  checkpoint: Pick<Checkpoint, 'tokenizer'>,
  files: { open(path: string): NativeFile },
): Promise<Tokenizer> {
  const { path, ...source } = checkpoint.tokenizer
  return createTokenizer({ ...source, file: await attempt(async () => files.open(path)) })
}

async function attempt<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw fromNative(error)
  }
}

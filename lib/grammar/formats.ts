// The formats of a model: each is compiled once and shared by all calls that ask for it.
import { fromNative, KvasirError } from '../errors.ts'
import { type NativeGrammar, type NativeTokenizer, type NativeVocabulary, native } from '../native.ts'
import { Compiler } from './compiler.ts'
import type { OutputFormat } from './format.ts'

const KEPT = 32

const compiler = new Compiler()

export class Formats {
  private readonly known = new Map<string, Promise<NativeGrammar>>() // longest unused first
  private vocabulary: Promise<NativeVocabulary> | undefined

  /** `logits`: how many there are, which may be more than tokens. */
  constructor(
    private readonly tokenizer: NativeTokenizer,
    private readonly logits: number,
  ) {}

  /** Rejects with KV_ARGUMENT or KV_UNSUPPORTED, naming the place. */
  grammar(format: OutputFormat): Promise<NativeGrammar> {
    const key = keyOf(format)
    const grammar = this.known.get(key) ?? this.compile(key)
    this.known.delete(key)
    this.known.set(key, grammar)
    grammar.catch(() => {
      if (this.known.get(key) === grammar) this.known.delete(key)
    })
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value!)
    return grammar
  }

  private async compile(key: string): Promise<NativeGrammar> {
    const words = await compiler.compile(key)
    try {
      this.vocabulary ??= native().createVocabulary(this.tokenizer, this.logits)
      return await native().createGrammar(await this.vocabulary, words)
    } catch (error) {
      throw fromNative(error)
    }
  }
}

/** A format as the words of a grammar. */
export const compileFormat = (format: OutputFormat): Promise<Int32Array> => compiler.compile(keyOf(format))

function keyOf(format: OutputFormat): string {
  try {
    return JSON.stringify(format)
  } catch (cause) {
    throw new KvasirError('KV_ARGUMENT', `format: it cannot be written as JSON: ${(cause as Error).message}`, { cause })
  }
}

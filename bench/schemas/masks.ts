// What it takes to know the tokens that may come, measured where the device does it: native code, a fresh grammar.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from '../harness'

interface TestGrammar {
  follow(ids: Int32Array, budget: number, withoutMasks: boolean): { us: Float64Array }
}

const RUNS = 3 // the machine has other work: the median of them

const load = createRequire(join(ROOT, 'package.json'))

export class Masks {
  private readonly addon = load('./build/test/kvasir_kernels.node')
  private readonly vocabulary: unknown
  private readonly compile: (format: object) => Promise<Int32Array> = load('./dist/grammar/formats.js').compileFormat

  /** The bytes of each token; empty for control tokens. */
  constructor(tokens: readonly Uint8Array[]) {
    this.vocabulary = this.addon.vocabulary(tokens, tokens.length, -1)
  }

  /** Microseconds for each token of an answer: moving past it and finding what may follow. */
  async times(format: object, ids: readonly number[], budget: number): Promise<number[]> {
    const words = await this.compile(format)
    const runs = Array.from({ length: RUNS }, () => {
      const grammar: TestGrammar = this.addon.grammar(words, this.vocabulary)
      return grammar.follow(Int32Array.from(ids), budget, true).us
    })
    return Array.from(runs[0]!, (_, i) => runs.map((us) => us[i]!).sort((a, b) => a - b)[RUNS >> 1]!)
  }
}

/** The tokens of a checkpoint. */
export async function tokensOf(path: string): Promise<Uint8Array[]> {
  const { native } = load('./dist/native.js')
  const { openCheckpoint } = load('./dist/weights/open.js')
  const { tokenizer } = await openCheckpoint(path)
  const { path: file, ...source } = tokenizer
  const opened = await native().createTokenizer({ ...source, file: native().openFile(file) })
  return Array.from({ length: opened.vocabSize }, (_, id) =>
    opened.isSpecial(id) ? new Uint8Array() : opened.decode(Int32Array.of(id), false, true),
  )
}

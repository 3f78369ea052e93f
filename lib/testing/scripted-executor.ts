// A device that says what its script says. It reads steps as native/executor/step.h documents them and keeps the tokens
// of each page where a real device keeps keys and values, so it knows every prompt it is asked to continue.
import { PAGE_TOKENS } from '../cache/block-allocator.ts'
import type { StepExecutor } from '../engine/engine.ts'
import { KvasirError } from '../errors.ts'
import type { NativeSampler } from '../native.ts'
import type { Vocabulary } from './vocabulary.ts'

/** An answer: a text, its tokens one by one, or an error, which may also come after some tokens. */
export type Script = string | Error | readonly (string | Error)[]
export type Answers = readonly Script[] | ((prompt: string) => Script)

const STEP_HEADER = 6
const FLAG_STOP = 1
const LOGPROB = -1 // of every token
const HIDDEN = 32

interface Slot {
  sampler: NativeSampler
  /** The answer, from the first row that is sampled; `said` of its tokens are out. */
  answer: number[] | undefined
  said: number
  last: number
  pooled: Float32Array
}

export interface ScriptedExecutorOptions {
  answers: Answers
  vocabulary: Vocabulary
  pages: number
  delayMs: number
}

export class ScriptedExecutor implements StepExecutor {
  readonly hiddenSize = HIDDEN
  private readonly tokens: Int32Array // [pages × 32]
  private readonly slots = new Map<number, Slot>()
  private queue: Promise<unknown> = Promise.resolve()
  private given = 0 // answers of a list that are taken

  constructor(private readonly options: ScriptedExecutorOptions) {
    this.tokens = new Int32Array(options.pages * PAGE_TOKENS)
  }

  open(index: number, sampler: NativeSampler): void {
    const slot = { sampler, answer: undefined, said: 0, last: -1, pooled: new Float32Array(HIDDEN) }
    this.queue = this.queue.then(() => this.slots.set(index, slot))
  }

  submit(step: Int32Array): Promise<Int32Array> {
    const words = step.slice()
    const result = this.queue.then(async () => {
      await this.wait()
      return this.run(words)
    })
    this.queue = result.catch(() => {})
    return result
  }

  release(): void {} // it keeps tokens, not keys and values

  async dispose(): Promise<void> {
    await this.queue
  }

  private wait(): Promise<void> {
    const { delayMs } = this.options
    return new Promise((resolve) => (delayMs > 0 ? setTimeout(resolve, delayMs) : setImmediate(resolve)))
  }

  private run(words: Int32Array): Int32Array {
    const [program, tokens, sequences, rows, blocks] = words as unknown as [number, number, number, number, number]
    const seqAt = STEP_HEADER + tokens
    const blockAt = seqAt + 4 * sequences
    const rowAt = blockAt + blocks
    this.copyPages(words.subarray(rowAt + 3 * rows))

    const places: { pages: Int32Array; position: number }[] = [] // of the step's tokens
    let block = blockAt
    for (let at = seqAt; at < blockAt; at += 4) {
      const [index, count, position, held] = words.subarray(at, at + 4) as unknown as [number, number, number, number]
      const pages = words.subarray(block, block + held)
      block += held
      const slot = this.slots.get(index)!
      if (position === 0) slot.pooled.fill(0)
      for (let p = position; p < position + count; p++) {
        const word = words[STEP_HEADER + places.length]!
        const id = word < 0 ? this.slots.get(-1 - word)!.last : word
        this.tokens[place(pages, p)] = id
        places.push({ pages, position: p })
        if (program > 0) this.pool(slot.pooled, id, program === 1)
      }
    }

    const out: number[] = []
    for (let at = rowAt; at < rowAt + 3 * rows; at += 3) {
      const { pages, position } = places[words[at]!]!
      const slot = this.slots.get(words[at + 1]!)!
      const target = words[at + 2]!
      const id = target < 0 ? this.next(slot, pages, position) : target
      const top = Math.max(0, slot.sampler.topLogprobs)
      out.push(id, bits(LOGPROB), slot.sampler.stopTokens.includes(id) ? FLAG_STOP : 0, top)
      for (let i = 0; i < top; i++) out.push((id + i) % this.options.vocabulary.size, bits(LOGPROB - i))
    }
    if (program > 0)
      for (let at = seqAt; at < blockAt; at += 4) for (const x of this.slots.get(words[at]!)!.pooled) out.push(bits(x))
    return Int32Array.from(out)
  }

  private copyPages(copies: Int32Array): void {
    for (let i = 0; i < copies.length; i += 2) {
      const from = copies[i]! * PAGE_TOKENS
      this.tokens.copyWithin(copies[i + 1]! * PAGE_TOKENS, from, from + PAGE_TOKENS)
    }
  }

  // The first row of a sequence is that of its prompt's last token: there the answer is chosen.
  private next(slot: Slot, pages: Int32Array, position: number): number {
    slot.answer ??= this.answer(pages, position + 1)
    slot.last = slot.answer[slot.said++] ?? this.options.vocabulary.end
    return slot.last
  }

  private answer(pages: Int32Array, length: number): number[] {
    const { answers, vocabulary } = this.options
    try {
      if (typeof answers !== 'function') return this.tokensOf(this.following(answers))
      const prompt = Array.from({ length }, (_, p) => this.tokens[place(pages, p)]!)
      return this.tokensOf(answers(vocabulary.decode(prompt)))
    } catch (error) {
      return [vocabulary.token(error instanceof Error ? error : new Error(String(error)))]
    }
  }

  private following(answers: readonly Script[]): Script {
    if (this.given < answers.length) return answers[this.given++]!
    throw new KvasirError('KV_ARGUMENT', `the script has ${answers.length} answers, and one more was asked for`)
  }

  private tokensOf(script: Script): number[] {
    const { vocabulary } = this.options
    if (typeof script === 'string') return vocabulary.words(script)
    return [script].flat().map((part) => vocabulary.token(part as string | Error))
  }

  // A token's vector depends on its word alone, so texts that share words point the same way.
  private pool(pooled: Float32Array, id: number, sum: boolean): void {
    let state = 2166136261 // FNV-1a
    for (const char of this.options.vocabulary.decode([id]).trim())
      state = Math.imul(state ^ char.codePointAt(0)!, 16777619)
    for (let i = 0; i < HIDDEN; i++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i
      const x = (state >> 8) / 2 ** 23
      pooled[i] = sum ? pooled[i]! + x : x
    }
  }
}

const place = (pages: Int32Array, position: number): number =>
  pages[Math.floor(position / PAGE_TOKENS)]! * PAGE_TOKENS + (position % PAGE_TOKENS)

const view = new DataView(new ArrayBuffer(4))
function bits(x: number): number {
  view.setFloat32(0, x)
  return view.getInt32(0)
}

// Steps of a real model, given to the device one by one without an engine, and the time of every instruction in them.
import { join } from 'node:path'
import { load } from 'kvasir'
import { check, ROOT } from '../harness.ts'
import { instructionsOf, type TapeInstruction } from './tape.ts'

interface Executor {
  submit(step: Int32Array): Promise<Int32Array>
  stats(): { profile: Float64Array[] }
}
interface Addon {
  info(): { isa: string }
  createProgram(tape: Int32Array): unknown
  createExecutor(options: object): Executor
}

const { native } = require(join(ROOT, 'dist/native.js')) as { native: () => Addon }

const PAGE = 32

/** The instruction set whose kernels run. */
export const isa = (): string => native().info().isa

/** Tokens [start, start + ids.length) of the sequence in `slot`; the last of them is sampled. */
export interface Chunk {
  slot: number
  start: number
  ids: readonly number[]
  /** Pages at its beginning that are those of slot 0. */
  shared?: number
}

export interface OpTime extends TapeInstruction {
  /** Milliseconds a step: of all its runs, the mean of the threads. */
  busy: number
  /** And what the threads then waited for one another. */
  waited: number
}

export interface StepTimes {
  ops: OpTime[]
  /** Milliseconds of every step, ascending. */
  times: number[]
}

/** A model whose device is driven by hand. */
export class Device {
  private constructor(
    private readonly executor: Executor,
    readonly instructions: readonly TapeInstruction[],
    private readonly firstPage: (slot: number) => number,
    readonly weightBytes: number,
    readonly tokenize: (text: string) => Promise<number[]>,
    readonly dispose: () => Promise<void>,
  ) {}

  /** The sequence in slot 0 has pages for the whole context, every other one `own` pages. */
  static async open(
    model: string,
    threads: number,
    sequences: number,
    context: number,
    own = Math.ceil(context / PAGE),
  ): Promise<Device> {
    const addon = native()
    const { createProgram, createExecutor } = addon
    const tapes: Int32Array[] = []
    let executor: Executor | undefined
    // load() puts everything together; what it asks of the addon passes through our hands.
    Object.assign(addon, {
      createProgram: (tape: Int32Array) => {
        tapes.push(tape.slice())
        return createProgram.call(addon, tape)
      },
      createExecutor: (options: object) => {
        executor = createExecutor.call(addon, { ...options, profile: true })
        return executor
      },
    })
    const firstPage = (slot: number) => (slot === 0 ? 0 : Math.ceil(context / PAGE) + (slot - 1) * own)
    const limits = { maxSequences: sequences, context, maxTokens: 512, pages: firstPage(sequences) }
    const llm = await load(model, { threads, ...limits })
    Object.assign(addon, { createProgram, createExecutor })
    return new Device(
      executor!,
      instructionsOf(tapes[0]!),
      firstPage,
      llm.info.weightBytes,
      async (text) => [...(await llm.tokenize(text, { special: false }))],
      () => llm.dispose(),
    )
  }

  /** One step; the sampled id of each chunk. A sequence has pages of its own, but for those that it shares. */
  async step(chunks: readonly Chunk[]): Promise<number[]> {
    const tokens = chunks.flatMap(({ ids }) => ids)
    const held = ({ start, ids }: Chunk) => Math.ceil((start + ids.length) / PAGE)
    const pageOf = ({ slot, shared = 0 }: Chunk, i: number) => (i < shared ? i : this.firstPage(slot) + i - shared)
    const blocks = chunks.flatMap((chunk) => Array.from({ length: held(chunk) }, (_, i) => pageOf(chunk, i)))
    const rows: number[] = []
    let token = 0
    for (const { slot, ids } of chunks) {
      token += ids.length
      rows.push(token - 1, slot, -1)
    }
    const sequences = chunks.flatMap((chunk) => [chunk.slot, chunk.ids.length, chunk.start, held(chunk)])
    const header = [0, tokens.length, chunks.length, chunks.length, blocks.length, 0]
    const words = await this.executor.submit(Int32Array.from([...header, ...tokens, ...sequences, ...blocks, ...rows]))
    check(words.length === 4 * chunks.length, `a step of ${chunks.length} rows gave ${words.length} words`)
    return chunks.map((_, i) => words[4 * i]!)
  }

  /** Runs `count` steps after two that are not counted. */
  async measure(count: number, run: (i: number) => Promise<unknown>): Promise<StepTimes> {
    for (let i = 0; i < 2; i++) await run(i)
    const before = this.executor.stats().profile
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const from = performance.now()
      await run(i)
      times.push(performance.now() - from)
    }
    const after = this.executor.stats().profile
    const mean = (at: number) =>
      after.reduce((sum, cells, thread) => sum + cells[at]! - before[thread]![at]!, 0) / after.length / count / 1e6
    const ops = this.instructions.map((instruction) => ({
      ...instruction,
      busy: mean(2 * instruction.word),
      waited: mean(2 * instruction.word + 1),
    }))
    return { ops, times: times.sort((a, b) => a - b) }
  }
}

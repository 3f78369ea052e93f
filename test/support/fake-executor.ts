// A device for tests. It reads the words of a step as native/executor/step.h documents them, keeps a KV cache of its own
// and fails loudly on what would corrupt a real one. The next token is a hash of all tokens of the sequence as the cache
// holds them, so that a wrong page, position or slot changes the output. `continuation` gives the same without any step.
// Program 0 generates and scores; 1 pools the mean of a sequence's vectors, 2 keeps the last.
import type { StepExecutor } from '../../lib/engine/engine.ts'
import type { NativeSampler } from '../../lib/native.ts'
import { DIM, logprob, next, VOCAB, vector } from './fake-model.ts'

export { continuation, DIM, logprob, VOCAB, vector } from './fake-model.ts'

const PAGE = 32

export interface FakeOptions {
  pages: number
  slots: number
  /** Pages that there is room for outside. */
  places?: number
}

interface Slot {
  sampler: NativeSampler
  last: number
  generated: number[]
  pooled: Float32Array
  pooledTokens: number
  /** A step with it failed: what follows is nonsense, and nobody reads it. */
  lost: boolean
}

export class FakeExecutor implements StepExecutor {
  readonly steps: { program: number; tokens: number; sequences: number; rows: number; copies: number }[] = []
  /** The next step fails with this. */
  failure: Error | undefined
  disposed = false
  /** Pages given back, ever. */
  released = 0
  /** False: steps wait for tick(). */
  automatic = true
  /** The next swap fails with this, and then all do. */
  swapFailure: Error | undefined
  /** Copies out and in. */
  readonly swaps: { from: number; to: number }[] = []
  private readonly kv: Int32Array // [(pages + places) × 32] token, or −1
  private readonly positions: Int32Array
  private readonly slots: (Slot | undefined)[]
  private readonly queue: (() => void)[] = []
  private scheduled = false

  constructor(readonly options: FakeOptions) {
    const room = options.pages + (options.places ?? 0)
    this.kv = new Int32Array(room * PAGE).fill(-1)
    this.positions = new Int32Array(room * PAGE).fill(-1)
    this.slots = new Array(options.slots).fill(undefined)
  }

  get queued(): number {
    return this.queue.length
  }

  open(slot: number, sampler: NativeSampler): void {
    if (!(slot >= 0 && slot < this.options.slots)) throw new Error(`open: slot ${slot}`)
    this.queue.push(() => {
      this.slots[slot] = {
        ...{ sampler, last: -1, generated: [] },
        ...{ pooled: new Float32Array(DIM), pooledTokens: 0, lost: false },
      }
    })
  }

  /** What the pages hold is lost, after the steps already submitted. */
  release(pages: Int32Array): void {
    const gone = pages.slice()
    this.queue.push(() => {
      for (const page of gone) {
        this.kv.fill(-1, page * PAGE, (page + 1) * PAGE)
        this.positions.fill(-1, page * PAGE, (page + 1) * PAGE)
      }
      this.released += gone.length
    })
  }

  /** Copies of pages, after the steps already submitted and before those to come. */
  swap(copies: Int32Array): Promise<number> {
    const { pages, places = 0 } = this.options
    const words = copies.slice()
    return new Promise((resolve, reject) => {
      this.queue.push(() => {
        if (this.swapFailure) return reject(this.swapFailure)
        for (let i = 0; i < words.length; i += 2) {
          const [from, to] = [words[i]!, words[i + 1]!]
          if (!(from >= 0 && to >= 0 && from < pages + places && to < pages + places && from < pages !== to < pages))
            throw new Error(`swap from ${from} to ${to}`)
          this.kv.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE)
          this.positions.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE)
          this.swaps.push({ from, to })
        }
        resolve((words.length / 2) * 1e-3)
      })
      this.schedule()
    })
  }

  submit(step: Int32Array): Promise<Int32Array> {
    if (this.disposed) throw new Error('submit after dispose')
    const words = step.slice()
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          if (this.failure) throw this.lose(words)
          resolve(this.run(words))
        } catch (error) {
          reject(error)
        } finally {
          this.failure = undefined
        }
      }
      this.queue.push(Object.assign(run, { isStep: true }))
      this.schedule()
    })
  }

  async dispose(): Promise<void> {
    if (this.queue.some((task) => 'isStep' in task)) throw new Error('dispose with steps in flight')
    this.disposed = true
  }

  /** Runs one step. */
  tick(): void {
    for (let task = this.queue.shift(); task; task = this.queue.shift()) {
      task()
      if ('isStep' in task) return
    }
  }

  private schedule(): void {
    if (this.scheduled || !this.automatic) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.tick()
      if (this.queue.length > 0) this.schedule()
    })
  }

  private lose(words: Int32Array): Error {
    const [, tokens, sequences, rows, blocks] = words as unknown as number[] as [number, number, number, number, number]
    const seqAt = 6 + tokens
    for (let s = 0; s < sequences; s++) this.slots[words[seqAt + 4 * s]!]!.lost = true
    for (let r = 0; r < rows; r++) this.slots[words[seqAt + 4 * sequences + blocks + 3 * r + 1]!]!.lost = true
    return this.failure!
  }

  private run(words: Int32Array): Int32Array {
    const [program, tokens, sequences, rows, blocks, copies] = words as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const expected = 6 + tokens + 4 * sequences + blocks + 3 * rows + 2 * copies
    if (words.length !== expected) throw new Error(`step of ${words.length} words, header says ${expected}`)
    if (sequences === 0 || tokens === 0) throw new Error('empty step')
    this.steps.push({ program, tokens, sequences, rows, copies })

    const seqAt = 6 + tokens
    const blockAt = seqAt + 4 * sequences
    const rowAt = blockAt + blocks
    this.copy(words.subarray(rowAt + 3 * rows))

    // Where each token of the step goes.
    const table: { pages: Int32Array; position: number; slot: number }[] = []
    const writers = new Map<number, number>()
    const readers = new Map<number, Set<number>>()
    const usedSlots = new Set<number>()
    let token = 6
    let block = blockAt
    for (let s = 0; s < sequences; s++) {
      const [slot, count, position, held] = words.subarray(seqAt + 4 * s, seqAt + 4 * s + 4) as unknown as [
        number,
        number,
        number,
        number,
      ]
      if (usedSlots.has(slot)) throw new Error(`slot ${slot} twice in a step`)
      usedSlots.add(slot)
      if (count < 1) throw new Error(`sequence ${s} has ${count} tokens`)
      if (held !== Math.ceil((position + count) / PAGE))
        throw new Error(`sequence ${s}: ${held} pages for ${position + count} tokens`)
      const pages = words.subarray(block, block + held)
      block += held
      for (const page of pages) {
        if (!(page >= 0 && page < this.options.pages)) throw new Error(`page ${page} of ${this.options.pages}`)
        readers.set(page, (readers.get(page) ?? new Set()).add(s))
      }
      if (new Set(pages).size !== held) throw new Error(`sequence ${s} has a page twice: ${pages}`)
      for (let i = 0; i < count; i++) {
        const at = position + i
        const page = pages[Math.floor(at / PAGE)]!
        if ((writers.get(page) ?? s) !== s) throw new Error(`page ${page} is written by two sequences`)
        writers.set(page, s)
        const cell = page * PAGE + (at % PAGE)
        this.kv[cell] = this.resolve(words[token++]!)
        this.positions[cell] = at
        table.push({ pages, position: at, slot })
        if (program > 0) this.pool(program, slot, this.kv[cell]!, at)
      }
    }
    if (block !== rowAt) throw new Error(`${blocks} block entries, ${block - blockAt} used`)
    for (const [page, writer] of writers)
      for (const reader of readers.get(page)!)
        if (reader !== writer) throw new Error(`page ${page} is written by ${writer} and read by ${reader}`)

    const out: number[] = []
    for (let r = 0; r < rows; r++) {
      const [index, slot, target] = words.subarray(rowAt + 3 * r, rowAt + 3 * r + 3) as unknown as [
        number,
        number,
        number,
      ]
      const at = table[index]
      if (!at) throw new Error(`row ${r}: token ${index} of ${tokens}`)
      // A fork's first row is its leader's: what the leader lost, the fork has lost too.
      if (this.slots[at.slot]?.lost) this.slots[slot]!.lost = true
      if (this.slots[slot]?.lost) out.push(0, 0, 0, 0)
      else this.row(this.history(at.pages, at.position), slot, target, out)
    }
    if (program > 0)
      for (let s = 0; s < sequences; s++) for (const x of this.slots[words[seqAt + 4 * s]!]!.pooled) out.push(bits(x))
    return Int32Array.from(out)
  }

  private copy(copies: Int32Array): void {
    const targets = new Set<number>()
    for (let i = 0; i < copies.length; i += 2) {
      const [from, to] = [copies[i]!, copies[i + 1]!]
      if (from === to || targets.has(from) || targets.has(to)) throw new Error(`copy ${from} to ${to}`)
      targets.add(to)
      this.kv.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE)
      this.positions.copyWithin(to * PAGE, from * PAGE, (from + 1) * PAGE)
    }
  }

  private resolve(word: number): number {
    const slot = word < 0 ? this.slots[-1 - word] : undefined
    if (slot?.lost) return 0
    const id = word < 0 ? slot?.last : word
    if (id === undefined || id < 0 || id >= VOCAB) throw new Error(`token word ${word} stands for ${id}`)
    return id
  }

  // The tokens that the cache holds for positions 0 … position.
  private history(pages: Int32Array, position: number): number[] {
    return Array.from({ length: position + 1 }, (_, p) => {
      const cell = pages[Math.floor(p / PAGE)]! * PAGE + (p % PAGE)
      if (this.positions[cell] !== p)
        throw new Error(`position ${p} is not in the cache: found ${this.positions[cell]}`)
      return this.kv[cell]!
    })
  }

  private row(history: number[], index: number, target: number, out: number[]): void {
    const slot = this.slots[index]
    if (!slot) throw new Error(`row of slot ${index}, which was never opened`)
    const id = target >= 0 ? target : next(history, slot.sampler, slot.generated)
    if (target < 0) {
      slot.last = id
      slot.generated.push(id)
    }
    const top = Math.max(0, slot.sampler.topLogprobs)
    out.push(id, bits(logprob(history, id)), slot.sampler.stopTokens.includes(id) ? 1 : 0, top)
    for (let i = 0; i < top; i++) out.push((id + i) % VOCAB, bits(logprob(history, (id + i) % VOCAB)))
  }

  private pool(program: number, index: number, id: number, position: number): void {
    const slot = this.slots[index]!
    if (slot.lost) return
    if (position === 0) {
      slot.pooled.fill(0)
      slot.pooledTokens = 0
    }
    // A mean needs every token; the last one's value may stand on tokens that were in the cache.
    if (slot.pooledTokens++ !== position && program === 1)
      throw new Error(`slot ${index} pools position ${position} out of turn`)
    const x = vector(id, position)
    for (let j = 0; j < DIM; j++) slot.pooled[j] = program === 1 ? slot.pooled[j]! + x[j]! : x[j]!
  }
}

const view = new DataView(new ArrayBuffer(4))
function bits(x: number): number {
  view.setFloat32(0, x)
  return view.getInt32(0)
}

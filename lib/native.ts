// The addon, typed and nothing more. This is the only file that loads it.
import { join } from 'node:path'
import nodeGypBuild from 'node-gyp-build'
import { unpackedPath } from './asar.ts'
import { KvasirError } from './errors.ts'

/** A file mapped read-only. Offsets and lengths are bytes; both fit a double. */
export interface NativeFile {
  readonly size: number
  /** Copies [offset, offset + length) out of the map. */
  read(offset: number, length: number): Uint8Array
  /** Where `count` GGUF strings (u64 length, bytes) that begin at `offset` end; off the event loop. */
  skipStrings(offset: number, count: number): Promise<number>
  close(): void
}

/** An array of GGUF strings inside a mapped file: `count` × (u64 length, bytes), from `offset`. */
export interface StringTable {
  offset: number
  count: number
  bytes: number
}

export interface TokenizerSource {
  kind: 'gguf' | 'json'
  file: NativeFile
  /** gguf: 'gpt2' (byte-level BPE) or 'llama' (SentencePiece-style BPE). */
  model?: string
  /** gguf: name of the pre-tokenizer, as in tokenizer.ggml.pre. */
  pre?: string
  tokens?: StringTable
  merges?: StringTable
  scores?: Float32Array
  types?: Int32Array
  bos?: number
  eos?: number
  unknown?: number
  addBos?: boolean
  addEos?: boolean
  addSpacePrefix?: boolean
}

export interface NativeTokenizer {
  readonly vocabSize: number
  readonly bos: number
  readonly eos: number
  /**
   * Ids of text; off the event loop. addSpecial: BOS/EOS as the checkpoint asks; parseSpecial: read <|…|> as tokens.
   * mark: a character that is taken away wherever it stands; what follows it is read as no control token.
   */
  encode(text: string, addSpecial: boolean, parseSpecial: boolean, mark?: string): Promise<Int32Array>
  /**
   * The bytes of each id, joined; special tokens are left out unless `special`. `continued`: the ids follow others, so
   * the space that some tokenizers put before a text is not taken off.
   */
  decode(ids: Int32Array, special: boolean, continued?: boolean): Uint8Array
  /** The id of a token written exactly so, or −1. */
  idOf(token: string): number
  /** True for control tokens, which are not text. */
  isSpecial(id: number): boolean
  /** What control tokens look like in a text. */
  controlTokens(): string[]
  /** Gives its memory back once what is being encoded is done; every other call throws KV_DISPOSED then. */
  close(): void
}

/** The tokens of a model as bytes, ready for grammars. */
export type NativeVocabulary = object

/** Rules over a vocabulary, verified; see native/grammar/rules.h. */
export type NativeGrammar = object

/** One weight of a program: where it lies and how. */
export interface NativeMatrix {
  file: NativeFile
  offset: number
  dtype: number
  rows: number
  cols: number
}

/** A weight in a file, or one whose f32 values are given and copied. */
export type NativeWeight = NativeMatrix | { data: Float32Array; dtype: number; rows: number; cols: number }

export interface NativeWeights {
  readonly bytes: number
}

export interface ExecutorOptions {
  threads: number
  slots: number
  pages: number
  kvDtype: number
  layers: number
  kvHeads: number
  headDim: number
  weights: NativeWeights
  programs: NativeProgram[]
  /** Room for pages outside the KV cache: in memory, or in a file in `folder`. */
  swap?: { pages: number; folder?: string | undefined } | undefined
  /** Of the threads that compute. */
  priority: Priority
}

/** 'background' gives way to other programs. */
export type Priority = 'normal' | 'background'

/** A verified tape; see native/program/format.h. Throws KV_NATIVE when the tape could harm the process. */
export interface NativeProgram {
  readonly instructions: number
  readonly arenaBytes: number
}

/** See SamplerParams in native/ops/sample.h. */
export interface NativeSampler {
  temperature: number
  topK: number
  topP: number
  minP: number
  repetitionPenalty: number
  frequencyPenalty: number
  presencePenalty: number
  /** Two 32-bit halves, low first. */
  seed: [number, number]
  topLogprobs: number
  biasIds: Int32Array
  biasValues: Float32Array
  stopTokens: Int32Array
  /** Prompt ids, given only under a repetition penalty. */
  prompt: Int32Array
  /** Of an answer in a format, and the tokens that it may have. */
  grammar?: NativeGrammar
  grammarBudget?: number
}

export interface NativeExecutor {
  /** Sets the sampler of a slot and forgets what the slot held. Takes effect after the steps already submitted. */
  open(slot: number, sampler: NativeSampler): void
  /** Queues one step (lib/engine/step.ts); resolves with its results. The array is copied. */
  submit(step: Int32Array): Promise<Int32Array>
  /** The memory of these pages of the KV cache goes back to the system, after the steps already submitted. */
  release(pages: Int32Array): void
  /** From the next step on; see ExecutorOptions. */
  setPriority(priority: Priority): void
  /**
   * Copies pages out of the KV cache or back: from, to, …; numbers from `pages` on are places outside. Done in order with
   * the steps; resolves with the milliseconds that it took. After one that failed all fail.
   */
  swap(copies: Int32Array): Promise<number>
  /** Makes one more program for the steps to come, on the same weights; returns its number. */
  addProgram(program: NativeProgram): number
  /** Waits for what is queued, stops the threads, gives the memory back. */
  dispose(): Promise<void>
  stats(): DeviceStats
}

/** Of the durations so far; the quantiles are up to a fifth too long. */
export interface Durations {
  count: number
  totalUs: number
  medianUs: number
  p99Us: number
}

/** What a step waited for a token of an answer in a format, and the masks that were found beside the step. */
export interface FormatCosts {
  path: Durations
  beside: Durations
}

export interface DeviceStats {
  /** Its threads give way to other programs. */
  background: boolean
  steps: number
  busyMs: number
  arenaBytes: number
  kvBytes: number
  threads: number
  formats: FormatCosts
  /** Of a card: steps that are recorded, and how often one of them was replayed. */
  graphs: number
  replays: number
  /** Of a card: kernels for compute capability 9.0 alone are used. */
  wgmma: boolean
}

/** A card, as its driver describes it. */
export interface CudaCard {
  name: string
  /** 10 · major + minor. */
  computeCapability: number
  multiprocessors: number
  /** Bytes. */
  memory: number
}

/** A card that can be computed on. Its context lives until closeCuda(), or as long as an executor uses it. */
export interface NativeCuda extends CudaCard {
  /** The number of the card. */
  card: number
  freeMemory: number
  readonly context: unknown
}

export interface CudaExecutorOptions extends ExecutorOptions {
  cuda: NativeCuda
  kernelFolders: readonly string[]
  /** Called while the weights are copied to the card; bytes. */
  onProgress?: (done: number, total: number) => void
}

export interface NativeInfo {
  isa: string
  /** Physical cores that this process may use. */
  cores: number
  version: string
}

export interface Native {
  info(): NativeInfo
  openFile(path: string): NativeFile
  createTokenizer(source: TokenizerSource): Promise<NativeTokenizer>
  /** Off the event loop. `size`: of the logits. */
  createVocabulary(tokenizer: NativeTokenizer, size: number): Promise<NativeVocabulary>
  /** Off the event loop. Rejects with KV_UNSUPPORTED when the vocabulary can write no text of the grammar. */
  createGrammar(vocabulary: NativeVocabulary, words: Int32Array): Promise<NativeGrammar>
  createProgram(tape: Int32Array): NativeProgram
  createWeights(weights: NativeWeight[]): NativeWeights
  createExecutor(options: ExecutorOptions): NativeExecutor
  /** The cards of this machine, and the driver's interface: 1000 · major + 10 · minor. Rejects when there is no driver. */
  cudaCards(): Promise<{ driver: number; cards: CudaCard[] }>
  /** Rejects with one sentence when the card, its driver or our kernels do not serve. */
  openCuda(card: number, kernelFolders: readonly string[]): Promise<NativeCuda>
  closeCuda(cuda: NativeCuda): void
  createCudaExecutor(options: CudaExecutorOptions): Promise<NativeExecutor>
  /** Re-codes rows of `from` into `dtype`, written to a plain buffer; off the event loop. */
  convert(from: NativeMatrix, dtype: number, rowBegin: number, rowEnd: number): Promise<Uint8Array>
  /** Bytes a second that so many threads read together; a tenth of a second, off the event loop. */
  memoryBandwidth(threads: number): Promise<number>
  peakMemory(): number
}

let addon: Native | undefined

/** The addon, loaded on first use. */
export function native(): Native {
  addon ??= loadAddon()
  return addon
}

const root = unpackedPath(join(__dirname, '..'))

/** Where CUDA kernels may lie (*.fatbin): what KVASIR_CUDA_KERNELS names, or the first with any of the package and a build. */
export function kernelFolders(): string[] {
  const named = process.env['KVASIR_CUDA_KERNELS']
  return named ? [named] : [join(root, 'prebuilds', 'cuda'), join(root, 'build', 'cuda')]
}

function loadAddon(): Native {
  try {
    return nodeGypBuild(root) as Native
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0]
    throw new KvasirError(
      'KV_ADDON',
      `no native addon works on ${process.platform}-${process.arch} (${reason}) in ${root}: install kvasir on a system that it has a prebuilt addon for, or build it with "npm_config_build_from_source=1 npm rebuild kvasir" (needs CMake and a C++20 compiler)`,
      { cause },
    )
  }
}

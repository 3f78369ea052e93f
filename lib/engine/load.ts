// From a name to a model that answers: resolve, open, compile, map, start.

import { setImmediate as turn } from 'node:timers/promises'
import { pagesFor } from '../cache/block-allocator.ts'
import { chatTemplate } from '../chat/template.ts'
import { type CompiledProgram, compiling } from '../compiler/compile.ts'
import { fromNative } from '../errors.ts'
import { Dtype } from '../graph/dtype.ts'
import type { Progress } from '../hub/pull.ts'
import { resolveModel } from '../hub/resolve.ts'
import type { Output } from '../models/parts.ts'
import { buildGraph } from '../models/registry.ts'
import { kernelFolders, native } from '../native.ts'
import { boolean, checkOptions, integer, oneOf, signalOf } from '../sampling/check.ts'
import type { Limits } from '../scheduler/limits.ts'
import { openTokenizer } from '../tokenizer/tokenizer.ts'
import { type Checkpoint, tensorOf } from '../weights/checkpoint.ts'
import { FORMATS } from '../weights/formats.ts'
import { openCheckpoint } from '../weights/open.ts'
import { bindWeights, CheckpointFiles, vectorOf } from './bind-weights.ts'
import { cardBudget, type DeviceName, deviceOption, openDevice } from './device.ts'
import { Engine } from './engine.ts'
import { Llm } from './llm.ts'
import { type MemoryOptions, planMemory } from './plan-memory.ts'

export interface LoadOptions extends MemoryOptions {
  /** 'cpu' (default), 'cuda', 'cuda:1' for the second card, or 'auto': a card when there is one that works. */
  device?: DeviceName
  /** Threads that compute. Default: the physical cores that this process may use. */
  threads?: number
  /** 'background' gives way to other programs. Default 'normal'. */
  priority?: 'normal' | 'background'
  /** Keep the KV cache of finished prompts and answers for requests that begin in the same way. Default true. */
  prefixCache?: boolean
  /** Ends a download; load() rejects with KV_ABORTED. */
  signal?: AbortSignal
  /** Called while a model is being downloaded. */
  onProgress?: (progress: Progress) => void
}

const OPTIONS = [
  ...['device', 'threads', 'priority', 'kv', 'context', 'maxSequences', 'maxTokens', 'pages'],
  ...['prefixCache', 'signal', 'onProgress'],
]

/** The programs of a model, by their number in a step's first word. */
const OUTPUTS: readonly Output[] = ['generate', 'embed-mean', 'embed-last']
const PROGRAMS = { generate: 0, mean: 1, last: 2 }

/**
 * Loads a model: a name of the catalogue ('smollm2:135m'), hf:organisation/repository[:file], a .gguf or .safetensors
 * file, or a folder with either. What is not on this machine is downloaded once.
 *
 * Rejects with KV_NOT_FOUND, KV_FORMAT, KV_UNSUPPORTED, KV_ARGUMENT, KV_NETWORK, KV_CHECKSUM, KV_DISK, KV_TOOL,
 * KV_ABORTED or KV_ADDON.
 */
export async function load(spec: string, options: LoadOptions = {}): Promise<Llm> {
  checkOptions(options, OPTIONS)
  const signal = signalOf(options.signal)
  const prefixCache = boolean('prefixCache', options.prefixCache, true)
  const { isa, cores } = native().info()
  const threads = integer('threads', options.threads, cores, { min: 1, max: 1024 })
  const priority = oneOf('priority', options.priority, 'normal', ['normal', 'background'])

  deviceOption(options.device)

  const path = await resolveModel(spec, { signal, onProgress: options.onProgress })
  const checkpoint = await openCheckpoint(path)
  const { config } = checkpoint
  const files = new CheckpointFiles()
  try {
    const cuda = await openDevice(options.device)
    const memory = planMemory(config, options, cuda ? cardBudget(cuda, checkpoint) : undefined)
    const tokenizer = openTokenizer(checkpoint, files) // read on a thread of its own while we compile
    tokenizer.catch(() => {}) // awaited below, unless something else fails first
    const programs = await compileAll(checkpoint, memory.limits, await vectorOf(checkpoint, files, 'rope_freqs.weight'))
    const weights = native().createWeights(await bindWeights(programs.at(-1)!.weights, checkpoint, files))
    const codec = await tokenizer
    const parts = {
      threads,
      priority,
      slots: memory.limits.maxSequences,
      pages: memory.pages,
      kvDtype: Dtype[memory.kv],
      layers: config.num_hidden_layers,
      kvHeads: config.num_key_value_heads,
      headDim: config.head_dim,
      weights,
      programs: programs.map(({ tape }) => native().createProgram(tape)),
    }
    const executor = cuda
      ? await native().createCudaExecutor({ ...parts, cuda, kernelFolders: kernelFolders() })
      : native().createExecutor(parts)
    return new Llm({
      engine: new Engine({ executor, limits: memory.limits, pages: memory.pages, prefixCache }),
      codec,
      template: chatTemplate(checkpoint, codec),
      stopTokens: checkpoint.stopTokens,
      programs: PROGRAMS,
      info: {
        name: checkpoint.name,
        path,
        architecture: config.model_type,
        layers: config.num_hidden_layers,
        hiddenSize: config.hidden_size,
        vocabSize: config.vocab_size,
        context: memory.limits.context,
        maxSequences: memory.limits.maxSequences,
        device: cuda ? `cuda:${cuda.card} (${cuda.name})` : 'cpu',
        threads,
        isa,
        kv: memory.kv,
        kvBytes: memory.kvBytes,
        weightBytes: weights.bytes,
      },
      release: () => files.close(),
    })
  } catch (error) {
    files.close()
    throw fromNative(error)
  }
}

/** One program for each output; they share the weights of the last. */
async function compileAll(
  checkpoint: Checkpoint,
  limits: Limits,
  ropeFactors?: Float32Array,
): Promise<CompiledProgram[]> {
  const formats = (name: string) => {
    const tensor = checkpoint.tensors.get(name)
    return FORMATS[(tensor ?? tensorOf(checkpoint, name)).dtype].code as Dtype
  }
  const symbols = {
    T: limits.maxTokens,
    S: limits.maxSequences,
    L: limits.maxRows,
    B: limits.maxSequences * pagesFor(limits.context),
  }
  const programs: CompiledProgram[] = []
  for (const output of OUTPUTS) {
    const graph = buildGraph(checkpoint.config, { output, ...(ropeFactors && { ropeFactors }) })
    await turn()
    const passes = compiling(graph, { formats, limits: symbols, weights: programs.at(-1)?.weights ?? [] })
    programs.push(await inTurns(passes))
  }
  return programs
}

/** Runs `work` to its end, and lets the event loop turn wherever it yields. */
async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    await turn()
  }
}

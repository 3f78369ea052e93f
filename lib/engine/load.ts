// From a name to a model that answers: resolve, open, compile, map, start.

import { setImmediate as turn } from 'node:timers/promises'
import { fromNative } from '../errors.ts'
import type { Formats } from '../grammar/formats.ts'
import { Dtype } from '../graph/dtype.ts'
import type { Progress } from '../hub/pull.ts'
import { machine, threadsFor } from '../machine/machine.ts'
import { memoryGauge } from '../machine/memory-pressure.ts'
import { power } from '../machine/power.ts'
import { kernelFolders, native, type Priority } from '../native.ts'
import { boolean, checkOptions, integer, oneOf, signalOf } from '../sampling/check.ts'
import { openTokenizer } from '../tokenizer/tokenizer.ts'
import { bindWeights, CheckpointFiles } from './bind-weights.ts'
import { cardBudget, type DeviceName, openDevice } from './device.ts'
import { Engine } from './engine.ts'
import { followMachine, priorityOn } from './follow-machine.ts'
import { Llm } from './llm.ts'
import { type MemoryOptions, pageBytes, planMemory } from './plan-memory.ts'
import { planSwap, type SwapSpaceOptions } from './plan-swap.ts'
import { checkedWeights, type WeightsOption } from './plan-weights.ts'
import { smallerWeights } from './smaller-weights.ts'

export interface LoadOptions extends MemoryOptions {
  /** 'cpu' (default), 'cuda', 'cuda:1' for the second card, or 'auto': a card when there is one that works. */
  device?: DeviceName
  /** Threads that compute. Default: the physical cores that this process may use, within the quota of its cgroup. */
  threads?: number
  /** 'background' gives way to other programs. 'auto' (default): while the machine runs on its battery, else 'normal'. */
  priority?: 'auto' | Priority
  /** Keep the KV cache of finished prompts and answers for requests that begin in the same way. Default true. */
  prefixCache?: boolean
  /**
   * Room outside the KV cache for requests that had to give way: they go on with a copy of their pages where that is
   * faster than to compute them again. Default: off on the processor, a share of the free memory beside a card.
   */
  swap?: SwapSpaceOptions | false
  /**
   * Give memory of the KV cache back while the machine or the cgroup is short of it, and take it again later. Requests go
   * on, fewer of them at once. Default true.
   */
  yieldMemory?: boolean
  /**
   * 'auto' (default): as the files have them, in 8 or 4 bits where that does not fit in memory. 'as-is', or a format as of
   * `kvasir quantize`: q8_0, q4_k … Smaller weights are written to the cache once (docs/memory.md).
   */
  weights?: WeightsOption
  /** Ends a download or the writing of smaller weights; load() rejects with KV_ABORTED. */
  signal?: AbortSignal
  /** Called while a model is being downloaded, while smaller weights are written, and while its weights are copied to a card. */
  onProgress?: (progress: Progress) => void
}

const OPTIONS = [
  ...['device', 'threads', 'priority', 'kv', 'context', 'maxSequences', 'maxTokens', 'pages'],
  ...['prefixCache', 'swap', 'yieldMemory', 'weights', 'signal', 'onProgress'],
]

/**
 * Loads a model: a name of the catalogue ('smollm2:135m'), hf:organisation/repository[:file], a .gguf or .safetensors
 * file, or a folder with either. What is not on this machine is downloaded once.
 *
 * Rejects with KV_NOT_FOUND, KV_FORMAT, KV_UNSUPPORTED, KV_ARGUMENT, KV_NETWORK, KV_CHECKSUM, KV_DISK, KV_TOOL,
 * KV_ABORTED or KV_ADDON; for device: 'cuda' with KV_NOT_FOUND or KV_UNSUPPORTED where no card serves.
 */
export async function load(spec: string, options: LoadOptions = {}): Promise<Llm> {
  checkOptions(options, OPTIONS)
  const signal = signalOf(options.signal)
  const prefixCache = boolean('prefixCache', options.prefixCache, true)
  const yields = boolean('yieldMemory', options.yieldMemory, true)
  const weightsOption = checkedWeights(options.weights)
  const host = machine()
  const { isa, cores } = native().info()
  const threads = integer('threads', options.threads, threadsFor(cores, host), { min: 1, max: 1024 })
  const priority = oneOf('priority', options.priority, 'auto', ['auto', 'normal', 'background'])

  const cuda = await openDevice(options.device) // before anything is downloaded for it
  await turn() // the addon was loaded
  const { resolveModel } = await part(import('../hub/resolve.ts'))
  const path = await resolveModel(spec, { signal, onProgress: options.onProgress })
  const { openCheckpoint } = await part(import('../weights/open.ts'))
  const { checkpoint, plan } = await smallerWeights(
    await openCheckpoint(path),
    weightsOption,
    cuda ? cuda.freeMemory : host.available,
    options,
  )
  const { config } = checkpoint
  await turn()
  const files = new CheckpointFiles()
  try {
    const memory = planMemory(config, options, host, {
      card: cuda ? cardBudget(cuda, checkpoint) : undefined,
      weightBytes: plan.bytes,
    })
    const swap = planSwap(options.swap, {
      ...{ prefixCache, pageBytes: pageBytes(config, memory.kv), pages: memory.pages, host, card: cuda !== null },
    })
    await part(import('@huggingface/jinja')) // the largest part, while nothing else runs
    const tokenizer = openTokenizer(checkpoint, files) // read on a thread of its own while we compile
    tokenizer.catch(() => {}) // awaited below, unless something else fails first
    await part(import('../models/registry.ts'))
    await part(import('../compiler/compile.ts'))
    const { compileProgram, programNumbers } = await part(import('./programs.ts'))
    const { chatTemplate } = await part(import('../chat/template.ts'))
    const program = await compileProgram(checkpoint, memory.limits, 'generate')
    await turn()
    const shared = { weights: program.weights } // by later programs; the first one's graph can go
    const weights = native().createWeights(await bindWeights(shared.weights, checkpoint, files))
    await turn()
    const codec = await tokenizer
    const template = chatTemplate(checkpoint, codec)
    await turn()
    const parts = {
      threads,
      priority: priority === 'auto' ? priorityOn(host.power) : priority,
      slots: memory.limits.maxSequences,
      pages: memory.pages,
      kvDtype: Dtype[memory.kv],
      layers: config.num_hidden_layers,
      kvHeads: config.num_key_value_heads,
      headDim: config.head_dim,
      weights,
      swap,
      programs: [native().createProgram(program.tape)],
    }
    const executor = cuda
      ? await native().createCudaExecutor({
          ...parts,
          cuda,
          kernelFolders: kernelFolders(),
          onProgress: (done, total) => options.onProgress?.({ file: `weights on cuda:${cuda.card}`, done, total }),
        })
      : native().createExecutor(parts)
    await turn()
    let formats: Promise<Formats> | undefined
    const engine = new Engine({ executor, limits: memory.limits, pages: memory.pages, prefixCache, swap })
    const gauge = yields && !cuda ? memoryGauge() : undefined // a card keeps what it took
    const unfollow = followMachine(engine, executor, {
      memory: gauge && { pageBytes: pageBytes(config, memory.kv), gauge },
      power: priority === 'auto' && host.power !== 'unknown' ? power : undefined, // no battery comes later
    })
    return new Llm({
      engine,
      codec,
      template,
      grammar: async (format) => {
        formats ??= import('../grammar/formats.ts').then(({ Formats }) => new Formats(codec.native, config.vocab_size))
        return (await formats).grammar(format)
      },
      stopTokens: checkpoint.stopTokens,
      programs: programNumbers(executor, (output) => compileProgram(checkpoint, memory.limits, output, shared)),
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
        isa: cuda ? `sm_${cuda.computeCapability}${executor.stats().wgmma ? 'a' : ''}` : isa,
        kv: memory.kv,
        kvBytes: memory.kvBytes,
        swapBytes: (swap?.pages ?? 0) * pageBytes(config, memory.kv),
        weightBytes: weights.bytes,
        weights: plan.format ?? 'as-is',
        why: { weights: plan.why, ...memory.why },
        ...(template && { chat: template.format }),
      },
      release: () => {
        unfollow()
        codec.close()
        files.close()
      },
    })
  } catch (error) {
    files.close()
    throw fromNative(error)
  } finally {
    if (cuda) native().closeCuda(cuda) // the executor has it now
  }
}

/**
 * Most of the code is read when a model is loaded, not when the package is: a part at a time, and the event loop turns
 * after each.
 */
async function part<T>(module: Promise<T>): Promise<T> {
  const loaded = await module
  await turn()
  return loaded
}

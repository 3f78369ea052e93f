// What a model needs in memory: the mapped weights, the KV cache of a context, and the arena of a step.
import { type CompiledProgram, compile } from '../compiler/compile.ts'
import { buildGraph } from '../models/registry.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { ModelConfig } from '../weights/config.ts'
import { FORMATS } from '../weights/formats.ts'
import { readFloats } from '../weights/read-tensor.ts'

/** Tokens of a KV page (native/ops/kv_cache.h). */
const PAGE_TOKENS = 32
/** The largest step that memory is told for. */
const STEP_TOKENS = 512

export interface Memory {
  context: number
  sequences: number
  /** Bytes of weights, mapped: they are of the file, and shared by all processes that map it. */
  weights: number
  /** Bytes of the KV cache by format. */
  kv: { kv8: number; f16: number }
  /** Bytes of activations in a step of `stepTokens`. */
  arena: number
  stepTokens: number
}

/** Bytes of keys and values of `sequences` with `context` tokens each, in whole pages. */
export function kvBytes(config: ModelConfig, format: 'kv8' | 'f16', context: number, sequences: number): number {
  const pages = Math.ceil(context / PAGE_TOKENS) * sequences
  // kv8 has a scale (f32) for each of k and v.
  const perHead = format === 'kv8' ? 2 * config.head_dim + 8 : 4 * config.head_dim
  return pages * PAGE_TOKENS * config.num_hidden_layers * config.num_key_value_heads * perHead
}

/** The program that generates, for steps of `tokens` and `sequences`. */
export async function compileFor(checkpoint: Checkpoint, context: number, sequences: number): Promise<CompiledProgram> {
  const ropeFactors = await readFloats(checkpoint, 'rope_freqs.weight')
  const graph = buildGraph(checkpoint.config, { output: 'generate', ...(ropeFactors && { ropeFactors }) })
  return compile(graph, {
    // A tensor that is missing shows when weights are bound; the program does not depend on it.
    formats: (name) => FORMATS[checkpoint.tensors.get(name)?.dtype ?? 'f32'].code,
    limits: {
      T: Math.max(STEP_TOKENS, sequences),
      S: sequences,
      L: sequences,
      B: Math.ceil(context / PAGE_TOKENS) * sequences,
    },
  })
}

export function memoryOf(checkpoint: Checkpoint, program: CompiledProgram, context: number, sequences: number): Memory {
  const { config, tensors } = checkpoint
  return {
    context,
    sequences,
    weights: [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    kv: { kv8: kvBytes(config, 'kv8', context, sequences), f16: kvBytes(config, 'f16', context, sequences) },
    arena: program.arenaBytes,
    stepTokens: Math.max(STEP_TOKENS, sequences),
  }
}

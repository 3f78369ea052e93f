// What a model needs in memory: the mapped weights, the KV cache of a context, and the arena of a step.
import { pagesFor } from '../cache/block-allocator.ts'
import { type CompiledProgram, compile } from '../compiler/compile.ts'
import { pageBytes } from '../engine/plan-memory.ts'
import { buildGraph } from '../models/registry.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { FORMATS } from '../weights/formats.ts'
import { readFloats } from '../weights/read-tensor.ts'

/** The largest step that memory is told for. */
const STEP_TOKENS = 256

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
      B: pagesFor(context) * sequences,
    },
  })
}

export function memoryOf(checkpoint: Checkpoint, program: CompiledProgram, context: number, sequences: number): Memory {
  const { config, tensors } = checkpoint
  const kv = (format: 'kv8' | 'f16') => pagesFor(context) * sequences * pageBytes(config, format)
  return {
    context,
    sequences,
    weights: [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    kv: { kv8: kv('kv8'), f16: kv('f16') },
    arena: program.arenaBytes,
    stepTokens: Math.max(STEP_TOKENS, sequences),
  }
}

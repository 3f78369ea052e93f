// The programs of a model, one for each kind of output. A model generates from the start; what pools vectors is compiled
// when somebody first asks for it, from the same weights.
import { setImmediate as turn } from 'node:timers/promises'
import { pagesFor } from '../cache/block-allocator.ts'
import { type CompiledProgram, compiling } from '../compiler/compile.ts'
import type { Dtype } from '../graph/dtype.ts'
import type { Output } from '../models/parts.ts'
import { buildGraph } from '../models/registry.ts'
import { type NativeExecutor, native } from '../native.ts'
import type { Limits } from '../scheduler/limits.ts'
import { type Checkpoint, tensorOf } from '../weights/checkpoint.ts'
import { FORMATS } from '../weights/formats.ts'
import { readFloats } from '../weights/read-tensor.ts'
import type { Pooling } from './embed-request.ts'
import type { ProgramNumbers } from './types.ts'

/** A program for the steps of `limits`; it shares the weights of `first`, one of the same model. */
export async function compileProgram(
  checkpoint: Checkpoint,
  limits: Limits,
  output: Output,
  first?: Pick<CompiledProgram, 'weights'>,
): Promise<CompiledProgram> {
  const ropeFactors = await readFloats(checkpoint, 'rope_freqs.weight')
  const graph = buildGraph(checkpoint.config, { output, ...(ropeFactors && { ropeFactors }) })
  await turn()
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
  return inTurns(compiling(graph, { formats, limits: symbols, weights: first?.weights ?? [] }))
}

/** The numbers of an executor's programs, of which the first generates. `compile` makes another one. */
export function programNumbers(
  executor: Pick<NativeExecutor, 'addProgram'>,
  compile: (output: Output) => Promise<CompiledProgram>,
): ProgramNumbers {
  const added = new Map<Pooling, Promise<number>>()
  const add = async (pooling: Pooling) => {
    const { tape } = await compile(`embed-${pooling}`)
    return executor.addProgram(native().createProgram(tape))
  }
  return {
    generate: 0,
    embed(pooling) {
      const number = added.get(pooling) ?? add(pooling)
      added.set(pooling, number)
      return number
    },
  }
}

/** Runs `work` to its end, and lets the event loop turn wherever it yields. */
async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    await turn()
  }
}

// model_type of a config → the function that writes its graph, for each of MODEL_TYPES.
import { KvasirError } from '../errors.ts'
import { Graph } from '../graph/graph.ts'
import { MODEL_TYPES, type ModelConfig } from '../weights/config.ts'
import { llama } from './llama.ts'
import type { Model, ModelOptions } from './parts.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'

const models: ReadonlyMap<string, Model> = new Map([
  ['llama', llama],
  ['mistral', llama],
  ['qwen2', qwen2],
  ['qwen3', qwen3],
])

export function buildGraph(config: ModelConfig, options: ModelOptions): Graph {
  const model = models.get(config.model_type)
  if (!model)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `model_type ${JSON.stringify(config.model_type)} is not one that Kvasir runs: ${MODEL_TYPES.join(', ')}`,
    )
  const graph = new Graph()
  model(graph, config, options)
  return graph
}

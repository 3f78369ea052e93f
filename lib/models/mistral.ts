// Mistral (arXiv 2310.06825): Llama whose queries see only the last `sliding_window` positions, in every layer.
import type { Graph } from '../graph/graph.ts'
import type { ModelConfig } from './config.ts'
import { block, embedTokens, head, type ModelOptions, rotaryOf } from './parts.ts'

export function mistral(g: Graph, c: ModelConfig, options: ModelOptions): void {
  const rotary = rotaryOf(g, c, options.ropeFactors)

  let h = embedTokens(g, c)
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    h = block(g.scope(`model.layers.${layer}`), c, h, { layer, rotary, window: c.sliding_window ?? 0 })
  }
  head(g, c, h, options.output)
}

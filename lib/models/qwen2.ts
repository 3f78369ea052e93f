// Qwen 2 and 2.5 (arXiv 2407.10671): Llama with biases on q, k and v, whatever the config says of them.
import type { Graph } from '../graph/graph.ts'
import type { ModelConfig } from '../weights/config.ts'
import { block, embedTokens, head, type ModelOptions, refuseWindow, rotaryOf } from './parts.ts'

export function qwen2(g: Graph, c: ModelConfig, options: ModelOptions): void {
  refuseWindow(c)
  const rotary = rotaryOf(g, c, options.ropeFactors)

  let h = embedTokens(g, c)
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    h = block(g.scope(`model.layers.${layer}`), c, h, { layer, rotary, qkvBias: true })
  }
  head(g, c, h, options.output)
}

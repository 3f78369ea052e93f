// Qwen 3 (arXiv 2505.09388): Llama whose heads of q and k are normed before they are rotated.
import type { Graph } from '../graph/graph.ts'
import type { ModelConfig } from '../weights/config.ts'
import { block, embedTokens, head, type ModelOptions, refuseWindow, rotaryOf } from './parts.ts'

export function qwen3(g: Graph, c: ModelConfig, options: ModelOptions): void {
  refuseWindow(c)
  const rotary = rotaryOf(g, c, options.ropeFactors)

  let h = embedTokens(g, c)
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    h = block(g.scope(`model.layers.${layer}`), c, h, {
      layer,
      rotary,
      qkNorm: true,
      qkvBias: c.attention_bias,
      outBias: c.attention_bias,
    })
  }
  head(g, c, h, options.output)
}

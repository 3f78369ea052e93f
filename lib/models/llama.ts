// Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and every checkpoint wired the same way: SmolLM 2, TinyLlama, Yi, and
// Mistral (arXiv 2310.06825), whose queries see only the last `sliding_window` positions.
// A model is a function from config to graph: nothing runs here, and dtype, device and fusion are the compiler's
// business, not ours.
import type { Graph } from '../graph/graph.ts'
import type { ModelConfig } from '../weights/config.ts'
import { block, embedTokens, head, type ModelOptions, rotaryOf } from './parts.ts'

export function llama(g: Graph, c: ModelConfig, options: ModelOptions): void {
  const rotary = rotaryOf(g, c, options.ropeFactors)

  let h = embedTokens(g, c)
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    h = block(g.scope(`model.layers.${layer}`), c, h, {
      layer,
      rotary,
      window: c.sliding_window ?? 0,
      qkvBias: c.attention_bias,
      outBias: c.attention_bias,
    })
  }
  head(g, c, h, options.output)
}

// Embeddings for embed() and embedMany() of the AI SDK.
import type { EmbeddingModelV3, EmbeddingModelV3CallOptions, EmbeddingModelV3Result } from '@ai-sdk/provider'
import type { EmbedOptions } from '../engine/types.ts'
import { abortReason, type Model, PROVIDER } from './model.ts'

export class EmbeddingModel implements EmbeddingModelV3 {
  readonly specificationVersion = 'v3'
  readonly provider = PROVIDER
  readonly maxEmbeddingsPerCall = 2048
  readonly supportsParallelCalls = true

  constructor(
    readonly modelId: string,
    private readonly model: () => Promise<Model>,
  ) {}

  async doEmbed(call: EmbeddingModelV3CallOptions): Promise<EmbeddingModelV3Result> {
    const signal = call.abortSignal
    try {
      const llm = await this.model()
      const ids = await Promise.all(call.values.map((value) => llm.tokenize(value)))
      const options = { ...call.providerOptions?.[PROVIDER], ...(signal && { signal }) } as EmbedOptions
      const vectors = await llm.embed(ids, options)
      return {
        embeddings: vectors.map((vector) => Array.from(vector)),
        usage: { tokens: ids.reduce((sum, { length }) => sum + length, 0) },
        warnings: [],
      }
    } catch (error) {
      throw abortReason(error, signal)
    }
  }
}

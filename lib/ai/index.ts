// kvasir/ai: Kvasir as a provider of the Vercel AI SDK (`ai` 6; specification v3 of @ai-sdk/provider).
//
//   import { createKvasir } from 'kvasir/ai'
//   const kvasir = createKvasir()
//   const { text } = await generateText({ model: kvasir('smollm2:135m'), prompt: 'Why is the sky blue?' })
//   const { embedding } = await embed({ model: kvasir.embeddingModel('smollm2:135m'), value: 'a text' })
//   await kvasir.dispose()
//
// A model that is loaded already, here or in a process of its own (kvasir/electron), becomes one by languageModel(llm)
// and embeddingModel(llm).
import type { EmbeddingModelV3, LanguageModelV3, ProviderV3 } from '@ai-sdk/provider'
import { type LoadOptions, load } from '../engine/load.ts'
import { KvasirError } from '../errors.ts'
import { EmbeddingModel } from './embedding-model.ts'
import { LanguageModel } from './language-model.ts'
import type { Model } from './model.ts'

export type { Model } from './model.ts'

export function languageModel(llm: Model): LanguageModelV3 {
  return new LanguageModel(llm.info.name, async () => llm)
}

export function embeddingModel(llm: Model): EmbeddingModelV3 {
  return new EmbeddingModel(llm.info.name, async () => llm)
}

export interface Kvasir extends ProviderV3 {
  (modelId: string): LanguageModelV3
  /** Disposes every model that was loaded. */
  dispose(): Promise<void>
}

/** A provider whose model ids are what load() takes. A model is loaded at its first call, once. */
export function createKvasir(options: LoadOptions = {}): Kvasir {
  const models = new Map<string, Promise<Model & { dispose(): Promise<void> }>>()
  const loaded = (spec: string) => () => {
    let model = models.get(spec)
    if (!model) {
      model = load(spec, options)
      models.set(spec, model)
      model.catch(() => models.delete(spec)) // the next call tries again
    }
    return model
  }
  const language = (modelId: string) => new LanguageModel(modelId, loaded(modelId))
  return Object.assign(language, {
    specificationVersion: 'v3' as const,
    languageModel: language,
    embeddingModel: (modelId: string) => new EmbeddingModel(modelId, loaded(modelId)),
    imageModel: (modelId: string): never => {
      throw new KvasirError('KV_UNSUPPORTED', `${modelId}: Kvasir makes no images`)
    },
    async dispose() {
      const all = [...models.values()]
      models.clear()
      await Promise.all(all.map((model) => model.then((llm) => llm.dispose()).catch(() => {})))
    },
  })
}

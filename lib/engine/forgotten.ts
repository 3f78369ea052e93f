// Models that nobody disposed: when the garbage collector finds one, it says so and gives its memory back. Collection
// comes late or never, so this is a warning of a mistake, not a way to free a model.
import type { LlmParts } from './types.ts'

/** What is left of a model when it is gone. It must not lead back to the Llm, or the Llm is never collected. */
type Rest = Pick<LlmParts, 'engine' | 'release'> & { name: string }

const registry = new FinalizationRegistry<Rest>(({ engine, release, name }) => {
  process.emitWarning(`a model (${name}) was forgotten without dispose(); its memory was held until now`, {
    type: 'KvasirWarning',
    code: 'KV_FORGOTTEN',
  })
  void engine.dispose().then(release)
})

export function watch(llm: object, { engine, release, info: { name } }: LlmParts): void {
  registry.register(llm, { engine, release, name }, llm)
}

export function unwatch(llm: object): void {
  registry.unregister(llm)
}

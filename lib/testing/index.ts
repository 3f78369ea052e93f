// kvasir/testing: a model that answers what a test tells it to, for tests of programs that use Kvasir. It needs no model
// file and no native addon, and gives the same every time. Everything between the call and the device is the real thing:
// options, chat template, queue, batching, stop strings, streaming, cancellation.
//
//   const llm = scripted(['Hello!', ['One', ' by', ' one'], new Error('the device is gone')])
//   await llm.chat('Hi')                                                     // { text: 'Hello!', … }
//   const echo = scripted((prompt) => (prompt.includes('weather') ? 'Rain.' : 'Sun.'))
import { pagesFor } from '../cache/block-allocator.ts'
import { CHATML, compileTemplate } from '../chat/template.ts'
import { Engine } from '../engine/engine.ts'
import { Llm } from '../engine/llm.ts'
import { checkOptions, integer, number } from '../sampling/check.ts'
import { type Script, ScriptedExecutor } from './scripted-executor.ts'
import { Vocabulary } from './vocabulary.ts'

export type { Answers, Script } from './scripted-executor.ts'

export interface ScriptedOptions {
  /** Milliseconds that each token takes. Default 0. */
  delayMs?: number
  /** Tokens that a prompt and its answer may have together; a token is a word. Default 4096. */
  context?: number
  /** Requests computed at once; more wait in line. Default 8. */
  maxSequences?: number
}

/**
 * A model whose answers are `answers`, one after another in the order of the calls, or what a function makes of the
 * prompt as the model would see it. A call beyond the last answer rejects with KV_ARGUMENT.
 *
 * embed() gives texts that share words similar vectors; score() gives every token −1.
 */
export function scripted(
  answers: readonly Script[] | ((prompt: string) => Script),
  options: ScriptedOptions = {},
): Llm {
  checkOptions(options, ['delayMs', 'context', 'maxSequences'])
  const delayMs = number('delayMs', options.delayMs, 0, { min: 0, max: 60_000 })
  const context = integer('context', options.context, 4096, { min: 1, max: 2 ** 20 })
  const maxSequences = integer('maxSequences', options.maxSequences, 8, { min: 1, max: 4096 })
  // Room for everybody: no sequence is ever computed twice, so a prompt meets the script once.
  const pages = maxSequences * pagesFor(context)
  const vocabulary = new Vocabulary()
  const executor = new ScriptedExecutor({ answers, vocabulary, pages, delayMs })
  const template = compileTemplate(CHATML)
  const limits = { maxTokens: Math.max(512, maxSequences), maxSequences, maxRows: Math.max(64, maxSequences), context }
  return new Llm({
    engine: new Engine({ executor, limits, pages }),
    codec: vocabulary,
    template,
    // The script decides what is said; a format that could not be enforced is refused all the same.
    grammar: async (format) => {
      const { compileFormat } = await import('../grammar/formats.ts')
      await compileFormat(format)
      return undefined
    },
    stopTokens: [vocabulary.end],
    programs: { generate: 0, embed: async (pooling) => (pooling === 'mean' ? 1 : 2) },
    info: {
      name: 'scripted',
      path: '',
      architecture: 'scripted',
      layers: 0,
      hiddenSize: executor.hiddenSize,
      vocabSize: vocabulary.size,
      context,
      maxSequences,
      threads: 0,
      device: 'none',
      isa: 'none',
      kv: 'none',
      kvBytes: 0,
      swapBytes: 0,
      weightBytes: 0,
      weights: 'as-is',
      why: { weights: 'a script has none', context: 'as asked', format: 'none', kv: 'none' },
      chat: template.format,
    },
    release: () => {},
  })
}

// Kvasir as a contender: node kvasir.js MODEL THREADS SEQUENCES CONTEXT
import { load } from 'kvasir'
import { serveTasks, type Task, type TaskResult } from './protocol.ts'

const [model, threads, maxSequences, context] = process.argv.slice(2)

serveTasks((require('kvasir/package.json') as { version: string }).version, async () => {
  const llm = await load(model!, {
    prefixCache: false, // every round computes its prompts, as the peers do
    threads: Number(threads),
    maxSequences: Number(maxSequences),
    context: Number(context),
  })
  return async ({ prompts, generate }: Task): Promise<TaskResult> => {
    const begin = performance.now()
    let first = 0
    const tokens = await Promise.all(
      prompts.map(async (prompt) => {
        const ids: number[] = []
        // Many prompts at once are work for throughput; nobody watches these streams.
        const priority = prompts.length > 1 ? 'batch' : 'standard'
        const options = { temperature: 0, maxTokens: generate, ignoreEos: true, priority } as const
        for await (const piece of llm.generate(prompt, options)) {
          first ||= performance.now()
          ids.push(...piece.tokens)
        }
        return ids
      }),
    )
    return { tokens, seconds: (performance.now() - begin) / 1e3, firstTokenSeconds: (first - begin) / 1e3 }
  }
})

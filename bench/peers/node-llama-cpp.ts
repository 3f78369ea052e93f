// node-llama-cpp as a contender: node node-llama-cpp.js FOLDER MODEL THREADS SEQUENCES CONTEXT, where FOLDER has it
// installed. Its prebuilt CPU binary, a batch of 512, every sequence with a context of its own.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { serveTasks, type Task, type TaskResult } from './protocol.ts'

// What we use of its API.
interface LlamaSequence {
  clearHistory(): Promise<void>
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
}
interface LlamaContext {
  getSequence(): LlamaSequence
}
interface LlamaModel {
  createContext(options: {
    contextSize: number
    batchSize: number
    threads: number
    sequences: number
  }): Promise<LlamaContext>
}
interface Library {
  getLlama(options: { gpu: false; build: 'never'; logLevel: 'error' }): Promise<{
    loadModel(options: { modelPath: string }): Promise<LlamaModel>
  }>
}

const [folder, modelPath, threads, sequences, contextSize] = process.argv.slice(2)
const home = join(folder!, 'node_modules', 'node-llama-cpp')
const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
const entry = pathToFileURL(join(home, 'dist', 'index.js')).href

serveTasks(version, async () => {
  const { getLlama } = (await import(entry)) as Library
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
  const model = await llama.loadModel({ modelPath: modelPath! })
  const context = await model.createContext({
    contextSize: Number(contextSize),
    batchSize: 512,
    threads: Number(threads),
    sequences: Number(sequences),
  })
  const free = Array.from({ length: Number(sequences) }, () => context.getSequence())
  return async ({ prompts, generate }: Task): Promise<TaskResult> => {
    await Promise.all(free.map((sequence) => sequence.clearHistory()))
    const begin = performance.now()
    let first = 0
    const tokens = await Promise.all(
      prompts.map(async (prompt, i) => {
        const ids: number[] = []
        for await (const id of free[i]!.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
          first ||= performance.now()
          ids.push(id)
          if (ids.length === generate) break
        }
        return ids
      }),
    )
    return { tokens, seconds: (performance.now() - begin) / 1e3, firstTokenSeconds: (first - begin) / 1e3 }
  }
})

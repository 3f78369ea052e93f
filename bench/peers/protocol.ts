// How a contender is driven: a process of its own, one line of JSON in, one out.
//
// A process loads the model, prints { ready }, and then answers each task in its turn. It stays alive between tasks, so
// that loading is outside the figures; only one process computes at a time.
import { createInterface } from 'node:readline'

/** Prompts are token ids, so that all contenders are given the same. `generate` tokens follow each, greedily. */
export interface Task {
  prompts: number[][]
  generate: number
}

export interface TaskResult {
  /** The generated ids of each prompt; [] where a peer does not give them back. */
  tokens: number[][]
  /** From the call to the last token of the last prompt. */
  seconds: number
  /** From the call to the first token; only meaningful with one prompt. */
  firstTokenSeconds: number
}

export interface Ready {
  ready: true
  loadSeconds: number
  version: string
}

/** The loop of a contender written in TypeScript. */
export async function serveTasks(
  version: string,
  load: () => Promise<(task: Task) => Promise<TaskResult>>,
): Promise<void> {
  const write = (message: Ready | TaskResult) => process.stdout.write(`${JSON.stringify(message)}\n`)
  const begin = performance.now()
  const run = await load()
  write({ ready: true, loadSeconds: (performance.now() - begin) / 1e3, version })
  for await (const line of createInterface({ input: process.stdin })) write(await run(JSON.parse(line) as Task))
  process.exit()
}

// Kvasir and its peers, each as a process that can be started for a shape of work.
import { join } from 'node:path'
import { progress, ROOT } from '../harness.ts'
import { installNodeLlamaCpp, installOpenVino } from './install.ts'

/** Prompts at once, the tokens of each, and the tokens generated after it. */
export interface Shape {
  prompts: number
  prompt: number
  generate: number
}

/** How to start a contender for a shape; the peers' arguments are in their runners. */
export interface Competitor {
  name: string
  command: string
  args(shape: Shape): string[]
}

/** All that can be installed here, or those of them that are named. */
export async function competitors(model: string, threads: number, only?: readonly string[]): Promise<Competitor[]> {
  const context = (shape: Shape) => shape.prompt + shape.generate + 8
  const common = (shape: Shape) => [model, String(threads), String(shape.prompts), String(context(shape))]
  const runner = (name: string) => join(__dirname, `${name}.js`)
  const all: Competitor[] = []
  const add = async (name: string, install: () => Promise<Omit<Competitor, 'name'>>) => {
    if (only && !only.includes(name)) return
    try {
      all.push({ name, ...(await install()) })
    } catch (error) {
      progress(`${name} is left out: ${(error as Error).message}`)
    }
  }
  await add('kvasir', async () => ({
    command: process.execPath,
    args: (shape) => [runner('kvasir'), ...common(shape)],
  }))
  await add('node-llama-cpp', async () => {
    const folder = await installNodeLlamaCpp()
    return { command: process.execPath, args: (shape) => [runner('node-llama-cpp'), folder, ...common(shape)] }
  })
  await add('openvino-genai', async () => {
    const script = join(ROOT, 'bench', 'peers', 'openvino_genai_peer.py')
    return { command: await installOpenVino(), args: (shape) => [script, ...common(shape)] }
  })
  return all
}

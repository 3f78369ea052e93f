// Loads the model of a command, with a bar while it is being downloaded; Ctrl-C ends the download.
import { type Llm, type LoadOptions, load } from '../index.ts'
import { interruptible } from './interrupt.ts'
import { progressBar } from './progress.ts'

export async function openModel(spec: string, options: LoadOptions): Promise<Llm> {
  const bar = progressBar()
  try {
    return await interruptible((signal) =>
      load(spec, { ...options, signal, onProgress: ({ file, done, total }) => bar.update(file, done, total) }),
    )
  } finally {
    bar.stop()
  }
}

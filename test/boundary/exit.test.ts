// How a process may end while the engine works: by exit(), by running out of things to do, by terminating a worker.
// Each case is a process of its own that uses the built package, and must end with status 0 and no word on stderr.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sanitized } from '../support/memory.ts'
import { testModel } from '../support/model.ts'

const root = join(__dirname, '..', '..')
let model: string

function run(body: string, wrapper: string[] = []): string {
  const script = `const { load } = require(${JSON.stringify(root)});
    const model = ${JSON.stringify(model)};
    (async () => { ${body} })().catch((error) => { console.error(error); process.exit(1) })`
  const [command, ...args] = [...wrapper, process.execPath, '-e', script]
  const { status, signal, stdout, stderr } = spawnSync(command!, args, {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  return stdout
}

beforeAll(async () => {
  model = await testModel()
})

describe('a process ends cleanly', () => {
  it('by itself, when an answer is there and nobody disposed', () => {
    const text = run(`const llm = await load(model)
      console.log((await llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 20 })).text)`)
    expect(text).toMatch(/Oslo/)
  })

  it('by process.exit() in the middle of a step', () => {
    run(`const llm = await load(model)
      for (let i = 0; i < 8; i++) llm.generate('Once', { maxTokens: 500, ignoreEos: true }).catch(() => {})
      setTimeout(() => process.exit(0), 300)`)
  })

  it('by process.exit() with calls of every kind and a dispose() under way', () => {
    run(`const llm = await load(model)
      const calls = Array.from({ length: 100 }, (_, i) => [
        llm.generate('Once ' + i, { maxTokens: 500, ignoreEos: true, n: 2 }),
        llm.embed('some text ' + i), llm.score('some other text ' + i), llm.tokenize('x'.repeat(100_000)),
      ]).flat()
      for (const call of calls) call.catch(() => {})
      setTimeout(() => { llm.dispose(); process.exit(0) }, 200)`)
  })

  it('with a dispose() that waits behind other work', () => {
    run(`const addon = require(${JSON.stringify(join(root, 'dist/native.js'))}).native()
      const llm = await load(model)
      const executor = llm.parts.engine.executor
      for (let i = 0; i < 200; i++) llm.generate('Once', { maxTokens: 50 }).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 100))
      for (let i = 0; i < 50; i++) llm.tokenize('x y '.repeat(50_000)).catch(() => {})
      executor.dispose() // queued on the background thread, and never run
      process.exit(0)`)
  })

  it('by the end of a worker with calls of every kind under way', () => {
    const ends = [
      'process.exit(0)',
      'llm.dispose()',
      'parentPort.postMessage(1)',
      'setImmediate(() => { throw new Error("end") })',
    ]
    run(`const { Worker } = require('node:worker_threads')
      const source = (end) => "const { workerData, parentPort } = require('node:worker_threads');" +
        "require(workerData.root).load(workerData.model, { threads: 1 }).then((llm) => {" +
        "for (let i = 0; i < 20; i++) for (const call of [llm.generate('Once', { maxTokens: 500, ignoreEos: true })," +
        "llm.embed('a text'), llm.score('a text')]) call.catch(() => {});" +
        "setTimeout(() => { " + end + " }, 50) })"
      const workerData = { root: ${JSON.stringify(root)}, model }
      await Promise.all(${JSON.stringify(ends)}.map(async (end) => {
        const worker = new Worker(source(end), { eval: true, workerData })
        worker.on('error', (error) => { if (error.message !== 'end') throw error })
        worker.once('message', () => worker.terminate())
        await new Promise((resolve) => worker.once('exit', resolve))
      }))`)
  })

  it.skipIf(sanitized || process.platform !== 'linux')('is told when the system has no more threads', () => {
    // Each thread takes 8 MB of address space for its stack.
    const text = run(
      `console.log(await load(model, { threads: 1024, context: 256 }).catch((error) => error.code + ' ' + error.message))`,
      ['bash', '-c', 'ulimit -s 8192; ulimit -v 6000000; exec "$@"', 'bash'],
    )
    expect(text).toMatch(/^KV_NATIVE threads: this system gave \d+ of 1024/)
  })

  it('while a model is being loaded', () => {
    run(`load(model).catch(() => {}); setTimeout(() => process.exit(0), 20)`)
  })

  it('with two models in one process, one of them disposed in flight', () => {
    const text = run(`const [a, b] = await Promise.all([load(model), load(model)])
      const doomed = a.generate('Once', { maxTokens: 500, ignoreEos: true }).catch((error) => error.code)
      const answer = b.generate('One two three', { temperature: 0, maxTokens: 5 })
      await a.dispose()
      console.log(await doomed, (await answer).tokens.length)
      await b.dispose()`)
    expect(text).toBe('KV_DISPOSED 5\n')
  })

  it('after workers were terminated in the middle of their work', () => {
    run(`const { Worker } = require('node:worker_threads')
      const source = "const { workerData, parentPort } = require('node:worker_threads');" +
        "require(workerData.root).load(workerData.model).then((llm) => {" +
        "llm.generate('Once', { maxTokens: 500, ignoreEos: true }).catch(() => {}); parentPort.postMessage(1) })"
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(source, { eval: true, workerData: { root: ${JSON.stringify(root)}, model } })
        await new Promise((resolve) => worker.once('message', resolve))
        await worker.terminate()
      }`)
  })
})

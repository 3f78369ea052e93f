// How a process may end while the engine works: by exit(), by running out of things to do, by terminating a worker.
// Each case is a process of its own that uses the built package, and must end with status 0 and no word on stderr.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { testModel } from '../support/model.ts'

const root = join(__dirname, '..', '..')
let model: string

function run(body: string): string {
  const script = `const { load } = require(${JSON.stringify(root)});
    const model = ${JSON.stringify(model)};
    (async () => { ${body} })().catch((error) => { console.error(error); process.exit(1) })`
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
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

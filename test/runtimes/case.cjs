// One case of run.cjs, in the runtime under test: RUNTIME case.cjs CASE ROUNDS. Ends with status 0 when it went well.
const { join } = require('node:path')
const { Worker, isMainThread, parentPort } = require('node:worker_threads')

const root = join(__dirname, '..', '..')
const model = process.env.KVASIR_TEST_MODEL || 'smollm2:135m'
const { load } = require(join(root, 'dist'))

const cases = {
  async chat() {
    const llm = await load(model)
    const answer = llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 20 })
    let streamed = ''
    for await (const { text } of answer) streamed += text
    if (!streamed.includes('Oslo') || (await answer).text !== streamed) throw new Error(`answered ${streamed}`)
    const [vector] = await llm.embed('a text')
    if (!(vector instanceof Float32Array) || vector.length !== llm.info.hiddenSize) throw new Error('no vector')
    await load('no-such-model').catch(({ code }) => {
      if (code !== 'KV_NOT_FOUND') throw new Error(`code ${code}`)
    })
    await llm.dispose()
    console.log(llm.info.isa)
  },

  async exit() {
    await busy()
    process.exit(0)
  },

  async terminate(rounds) {
    for (let i = 0; i < rounds; i++) {
      const worker = new Worker(__filename)
      await new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      await worker.terminate()
    }
  },
}

/** Resolves in the middle of work that goes on. */
async function busy() {
  const llm = await load(model, { context: 1024 })
  for (let i = 0; i < 4; i++) llm.generate('Once', { maxTokens: 900, ignoreEos: true }).catch(() => {})
  await llm.generate('Once', { maxTokens: 2 })
}

if (isMainThread)
  cases[process.argv[2]](Number(process.argv[3])).catch((error) => {
    console.error(error)
    process.exit(1)
  })
else busy().then(() => parentPort.postMessage('busy'))

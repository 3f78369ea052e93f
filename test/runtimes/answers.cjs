// What a model answers, to the last bit, in the runtime that runs this: RUNTIME answers.cjs MODEL …. Prints one line of
// JSON with the ids and log-probabilities of a greedy and a sampled answer of each model. The work of three sequences
// shares steps, so that prompts of many tokens and of one meet.
const { join } = require('node:path')
const { load } = require(process.env.KVASIR_TEST_PACKAGE || join(__dirname, '..', '..', 'dist'))

async function answers(path) {
  const llm = await load(path, { context: 256, threads: 2 })
  const prompt = Array.from({ length: 45 }, (_, i) => (7 * i + 3) % Math.min(llm.info.vocabSize, 90))
  const options = { maxTokens: 12, ignoreEos: true, logprobs: true }
  const results = await Promise.all([
    llm.generate(prompt, { ...options, temperature: 0 }),
    llm.generate(prompt.slice(0, 3), { ...options, temperature: 0.9, seed: 5 }),
    llm.generate(prompt.slice(9), { ...options, temperature: 0 }),
  ])
  await llm.dispose()
  const { isa } = llm.info
  return { isa, tokens: results.map((r) => r.tokens), logprobs: results.map((r) => r.logprobs.map((l) => l.logprob)) }
}

async function main() {
  const all = {}
  for (const path of process.argv.slice(2)) all[path] = await answers(path)
  console.log(JSON.stringify({ arch: process.arch, version: process.version, all }))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})

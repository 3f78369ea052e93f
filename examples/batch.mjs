// A hundred prompts at once. Nothing to set up: calls that run at the same time share the steps.
import { load } from 'kvasir'

const llm = await load('smollm2:135m', { maxSequences: 100 })
const prompts = Array.from({ length: 100 }, (_, i) => `A short sentence about the number ${i + 1}:`)

const start = performance.now()
const answers = await Promise.all(prompts.map((prompt) => llm.generate(prompt, { temperature: 0, maxTokens: 24 })))
const seconds = (performance.now() - start) / 1000

answers.forEach(({ text }, i) => {
  console.log(`${prompts[i]} ${text.trimStart().split('\n')[0]}`)
})
const tokens = answers.reduce((sum, { usage }) => sum + usage.promptTokens + usage.completionTokens, 0)
console.log(`\n${tokens} tokens in ${seconds.toFixed(1)} s, ${(tokens / seconds).toFixed(0)} a second`)
await llm.dispose()

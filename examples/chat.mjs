// One question, streamed: node examples/chat.mjs "Why is the sky blue?"
import { load } from 'kvasir'

const question = process.argv.slice(2).join(' ') || 'Why is the sky blue?'
const llm = await load('smollm2:135m')

const generation = llm.chat(question, { maxTokens: 200 })
for await (const piece of generation) process.stdout.write(piece.text)

const { usage, timings } = await generation
console.log(`\n\n${usage.completionTokens} tokens, the first after ${timings.ttftMs.toFixed(0)} ms`)
await llm.dispose()

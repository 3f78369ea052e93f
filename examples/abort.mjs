// Three ways to end an answer early.
import { load } from 'kvasir'

const llm = await load('smollm2:135m')

// A signal: the call rejects.
try {
  await llm.chat('Count to one thousand.', { signal: AbortSignal.timeout(500) })
} catch (error) {
  console.log(`${error.code}: ${error.message} (${error.cause.name})`)
}

// Leaving the loop: the rest is never computed.
const story = llm.chat('Tell me a long story.')
let pieces = 0
for await (const { text } of story) {
  process.stdout.write(text)
  if (++pieces === 20) break
}
console.log(`\n${(await story).finishReason}: ${(await story).usage.completionTokens} tokens`)

// abort(): the same from outside.
const poem = llm.chat('Write a poem about the sea.')
setTimeout(() => poem.abort(), 500)
console.log((await poem).text)
await llm.dispose()

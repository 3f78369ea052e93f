// Ranks sentences by how close they are to a query. The vectors have length 1, so their dot product is the cosine.
import { load } from 'kvasir'

const query = process.argv.slice(2).join(' ') || 'a pet that barks'
const sentences = [
  'The dog guards the house at night.',
  'Cats sleep for most of the day.',
  'The stock market fell by two percent.',
  'A new bridge was built over the river.',
  'Puppies need a walk every morning.',
]

const llm = await load('smollm2:135m')
const [target, ...vectors] = await llm.embed([query, ...sentences])
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0)

const ranked = sentences.map((text, i) => ({ text, score: dot(target, vectors[i]) })).sort((a, b) => b.score - a.score)
for (const { text, score } of ranked) console.log(score.toFixed(3), text)
await llm.dispose()

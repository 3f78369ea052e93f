// What the calls promise, on the real model: several answers to one prompt, scores that are the probabilities of
// generating, embeddings that do not depend on company, stop strings, and an abort in the middle of it all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Llm, load } from '../../lib/index.ts'
import { testModel } from '../support/model.ts'

const PROMPT =
  'The lighthouse keeper had lived alone on the island for thirty years, and every evening before he climbed the stairs ' +
  'he wrote one line in the book on his desk: the weather, the ships that had passed, and'

let llm: Llm
beforeAll(async () => {
  llm = await load(await testModel(), { context: 512, maxSequences: 8 })
})
afterAll(() => llm?.dispose())

describe('n answers', () => {
  it('are those of n calls, bit for bit, though they share the pages of their prompt', async () => {
    const options = { temperature: 0.9, maxTokens: 24, ignoreEos: true, logprobs: true } as const
    const { choices, usage } = await llm.generate(PROMPT, { ...options, seed: 40, n: 4 })
    expect(usage.promptTokens % 32).not.toBe(0) // or there were no page to copy
    for (const { index, tokens, logprobs } of choices!) {
      const alone = await llm.generate(PROMPT, { ...options, seed: 40 + index })
      expect([tokens, logprobs]).toEqual([alone.tokens, alone.logprobs])
    }
    expect(new Set(choices!.map(({ text }) => text)).size).toBeGreaterThan(1)
  })
})

describe('score', () => {
  it('gives the log-probabilities that generating gave, bit for bit', async () => {
    const prompt = await llm.tokenize(PROMPT)
    const { tokens, logprobs } = await llm.generate(prompt, {
      temperature: 0,
      maxTokens: 40,
      ignoreEos: true,
      logprobs: true,
    })
    const [scored] = await Promise.all([
      llm.score([...prompt, ...tokens]),
      llm.generate('Something else meanwhile', { maxTokens: 10 }),
    ])
    expect(scored).toHaveLength(prompt.length + tokens.length - 1)
    expect([...scored.slice(prompt.length - 1)]).toEqual(logprobs!.map(({ logprob }) => logprob))
  })

  it('finds sense more probable than nonsense', async () => {
    const mean = (logprobs: Float32Array) => logprobs.reduce((sum, x) => sum + x, 0) / logprobs.length
    const [sense, nonsense] = await Promise.all([
      llm.score('The sun rises in the east and sets in the west.'),
      llm.score('West the in sets and east the in rises sun the.'),
    ])
    expect(mean(sense)).toBeGreaterThan(mean(nonsense) + 1)
  })
})

describe('embed', () => {
  const texts = ['A dog barks at the gate.', 'The puppy is barking.', 'Interest rates rose again this quarter.', PROMPT]
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

  it.each(['mean', 'last'] as const)('with %s pooling gives what it gives alone, bit for bit', async (pooling) => {
    const [together] = await Promise.all([llm.embed(texts, { pooling }), llm.generate(PROMPT, { maxTokens: 10 })])
    for (const [i, text] of texts.entries()) {
      const [alone] = await llm.embed(text, { pooling })
      expect(together[i]).toEqual(alone)
      expect(alone).toHaveLength(llm.info.hiddenSize)
      expect(dot(alone!, alone!)).toBeCloseTo(1, 5)
    }
  })

  it('puts what means the same close together', async () => {
    const [dog, puppy, rates] = await llm.embed(texts)
    expect(dot(dog!, puppy!)).toBeGreaterThan(dot(dog!, rates!))
  })
})

it('a stop string ends an answer before it', async () => {
  const options = { temperature: 0, maxTokens: 40 }
  const { text } = await llm.generate('One, two, three,', options)
  const stopped = await llm.generate('One, two, three,', { ...options, stop: ' seven' })
  expect(stopped).toMatchObject({ finishReason: 'stop', text: text.slice(0, text.indexOf(' seven')) })
})

it('an abort leaves the others as they are', async () => {
  const options = { temperature: 0.8, seed: 3, maxTokens: 30, ignoreEos: true }
  const expected = await llm.generate(PROMPT, options)
  const controller = new AbortController()
  const doomed = Array.from({ length: 6 }, () =>
    llm.generate(PROMPT, { ...options, maxTokens: 200, signal: controller.signal }),
  )
  const kept = llm.generate(PROMPT, options)
  let pieces = 0
  const reading = (async () => {
    for await (const _ of doomed[0]!) if (++pieces === 5) controller.abort()
  })()
  await expect(reading).rejects.toMatchObject({ code: 'KV_ABORTED' })
  expect((await Promise.allSettled(doomed)).map(({ status }) => status)).toEqual(new Array(6).fill('rejected'))
  expect((await kept).tokens).toEqual(expected.tokens)
})

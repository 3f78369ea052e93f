// The KV cache shrinks and grows under traffic: every answer is right, no page is lost, and the device is told of each.
import { expect, it } from 'vitest'
import { idle, setup } from '../support/engine.ts'
import { random } from '../support/random.ts'

const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)

it.each([0, 1, 2, 3])('any sequence of sizes, with and without a prefix cache (%i)', async (round) => {
  console.log(`resize: KVASIR_SEED=${seed}`)
  const { below } = random(seed + round)
  const prefixCache = round % 2 === 0
  const made = setup({ pages: 48, prefixCache, places: round === 2 ? 30 : 0 })
  const calm = setup({ pages: 48, prefixCache: false })
  const prompts = Array.from({ length: 40 }, () => Array.from({ length: 1 + below(90) }, () => below(3)))
  const ask = ({ generate }: typeof made, prompt: number[]) => generate(prompt, { temperature: 0, maxTokens: 40 })
  const answers = prompts.map((prompt) => ask(made, prompt))
  let over = false
  const all = Promise.all(answers).finally(() => {
    over = true
  })
  while (!over) {
    made.engine.resize(5 + below(44)) // 130 tokens of a request need five pages
    made.engine.check()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const expected = await Promise.all(prompts.map((prompt) => ask(calm, prompt)))
  expect((await all).map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
  made.engine.resize(7)
  await idle(made)
  expect(made.engine.load()).toMatchObject({ pages: 7, freePages: 7 })
  expect(made.executor.released).toBeGreaterThan(0)
  expect(() => made.engine.resize(0)).not.toThrow() // nobody is there to need a page
  await expect(ask(made, [1])).rejects.toMatchObject({ code: 'KV_TOO_LONG' })
  made.engine.resize(48)
  await ask(made, [1])
  await idle(made)
})

it('gives back what was owned when it shrank, as soon as it can', async () => {
  const { executor, engine, generate } = setup({ pages: 12, prefixCache: false })
  const answers = [1, 2, 3].map((id) => generate(Array(100).fill(id), { temperature: 0, maxTokens: 20 }))
  while (engine.load().freePages > 0) await new Promise((resolve) => setImmediate(resolve))
  engine.resize(5)
  expect(engine.load()).toMatchObject({ pages: 5, freePages: 0 })
  await Promise.all(answers)
  await engine.settled()
  executor.tick()
  expect(engine.load()).toMatchObject({ pages: 5, freePages: 5 })
  expect(executor.released).toBe(7)
})

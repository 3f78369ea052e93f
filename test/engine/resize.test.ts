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
    const pages = 5 + below(44) // 130 tokens of a request need five pages
    if (below(2)) made.engine.resize(pages)
    else made.engine.allow({ pages, why: '' }) // as the machine wants, within what was asked for
    made.engine.check()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const expected = await Promise.all(prompts.map((prompt) => ask(calm, prompt)))
  expect((await all).map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
  made.engine.allow({ pages: 48, why: '' })
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

it('the machine may take pages of what was asked for, but never those of one request at full context', async () => {
  const { engine, generate } = setup({ pages: 40, context: 256 })
  const told: [number, string][] = []
  engine.watch({ resized: ({ now }, why) => told.push([now, why]) })
  engine.allow({ pages: 3, why: 'short' })
  await generate(Array(200).fill(1), { temperature: 0, maxTokens: 56 })
  expect(engine.load()).toMatchObject({ pages: 8, askedPages: 40, stepsDown: 1, stepsUp: 0, residentPages: 8 })
  engine.resize(20)
  expect(engine.load()).toMatchObject({ pages: 8, askedPages: 20 })
  engine.allow({ pages: 100, why: 'calm' })
  expect(engine.load()).toMatchObject({ pages: 20, stepsDown: 1, stepsUp: 1 })
  expect(told).toEqual([
    [8, 'short'],
    [20, 'calm'],
  ])
  engine.resize(4)
  engine.allow({ pages: 1, why: 'short' })
  expect(engine.load()).toMatchObject({ pages: 4, askedPages: 4 })
  await engine.dispose()
  expect(() => engine.allow({ pages: 1, why: 'late' })).not.toThrow()
})

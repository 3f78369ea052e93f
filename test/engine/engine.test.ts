// Calls on the engine: what comes back, in what order, and what happens when the device fails.
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { idle, piecesOf, setup, textOf } from '../support/engine.ts'
import { continuation } from '../support/fake-executor.ts'

const greedy = { temperature: 0, seed: [0, 0] as [number, number], frequencyPenalty: 0 }
const code = (code: string) => expect.objectContaining({ code })

describe('a call', () => {
  it('can be awaited, and iterated from the start even afterwards', async () => {
    const { generate } = setup()
    const generation = generate([1, 2, 3], { temperature: 0, maxTokens: 20 })
    const answer = await generation
    const expected = continuation([1, 2, 3], greedy, 20)
    expect(answer).toMatchObject({ tokens: expected, text: expected.map(textOf).join(''), finishReason: 'length' })
    expect(answer.usage).toEqual({ promptTokens: 3, cachedTokens: 0, completionTokens: 20 })
    const pieces = await piecesOf(generation)
    expect(pieces.map((piece) => piece.text).join('')).toBe(answer.text)
    expect(pieces.flatMap((piece) => piece.tokens)).toEqual(answer.tokens)
  })

  it('streams while it runs', async () => {
    const world = setup()
    world.executor.automatic = false
    const iterator = world.generate([1], { temperature: 0, maxTokens: 3 })[Symbol.asyncIterator]()
    for (const id of continuation([1], greedy, 3)) {
      await turn()
      world.executor.tick()
      expect((await iterator.next()).value).toEqual({ text: textOf(id), tokens: [id] })
    }
    expect((await iterator.next()).done).toBe(true)
  })

  it('joins what nobody has read yet, and never changes what was read', async () => {
    const world = setup()
    world.executor.automatic = false
    const generation = world.generate([1], { temperature: 0, maxTokens: 6 })
    const iterator = generation[Symbol.asyncIterator]()
    const step = async () => {
      await turn()
      world.executor.tick()
      await turn()
    }
    await step()
    const first = (await iterator.next()).value!
    for (let i = 0; i < 5; i++) await step()
    const ids = continuation([1], greedy, 6)
    expect((await iterator.next()).value).toEqual({ text: ids.slice(1).map(textOf).join(''), tokens: ids.slice(1) })
    expect(first.tokens).toEqual(ids.slice(0, 1))
    expect((await piecesOf(generation)).map((piece) => piece.tokens)).toEqual([ids.slice(0, 1), ids.slice(1)])
    expect((await iterator.next()).done).toBe(true)
  })

  it('leaves the stop token out of text and tokens, and counts it', async () => {
    const { generate } = setup()
    const expected = continuation([4], greedy, 10)
    const answer = await generate([4], { temperature: 0, maxTokens: 10, stop: expected[5]! })
    const end = expected.indexOf(expected[5]!)
    expect(answer).toMatchObject({ tokens: expected.slice(0, end), finishReason: 'stop' })
    expect(answer.usage.completionTokens).toBe(end + 1)
  })

  it('ends at a stop string without ever showing it', async () => {
    const { generate } = setup()
    const whole = continuation([4], greedy, 40).map(textOf).join('')
    const stop = whole.slice(17, 22)
    const generation = generate([4], { temperature: 0, maxTokens: 40, stop })
    let shown = ''
    for await (const { text } of generation) {
      shown += text
      expect(whole.slice(0, whole.indexOf(stop)).startsWith(shown)).toBe(true)
    }
    expect(await generation).toMatchObject({ text: whole.slice(0, whole.indexOf(stop)), finishReason: 'stop' })
  })

  it('shows what the detokenizer held back when it ends', async () => {
    const { generate } = setup()
    const held = { push: () => '', flush: () => 'é' }
    const generation = generate([4], { temperature: 0, maxTokens: 3 }, undefined, held)
    expect(await piecesOf(generation)).toEqual([{ text: 'é', tokens: continuation([4], greedy, 3) }])
    expect((await generation).text).toBe('é')
  })

  it('gives log-probabilities when asked', async () => {
    const { generate } = setup()
    const { logprobs, tokens } = await generate([1], { temperature: 0, maxTokens: 4, logprobs: 2 })
    expect(logprobs!.map(({ token }) => token)).toEqual(tokens)
    for (const { token, logprob, top } of logprobs!) {
      expect(top).toHaveLength(2)
      expect(top[0]).toEqual({ token, logprob })
    }
    expect((await generate([1], { maxTokens: 1, logprobs: true })).logprobs![0]!.top).toEqual([])
    expect(await generate([1], { maxTokens: 1 })).not.toHaveProperty('logprobs')
  })

  it('gives n answers, each as seed + i would alone', async () => {
    const { generate } = setup()
    const answer = await generate([1, 2], { seed: 10, temperature: 1, maxTokens: 8, n: 3 })
    expect(answer.choices!.map(({ index, tokens }) => [index, tokens])).toEqual(
      [10, 11, 12].map((seed, i) => [i, continuation([1, 2], { ...greedy, temperature: 1, seed: [seed, 0] }, 8)]),
    )
    expect(answer.text).toBe(answer.choices![0]!.text)
    expect(answer.usage).toEqual({ promptTokens: 2, cachedTokens: 0, completionTokens: 24 })
    const pieces = await piecesOf(generate([1, 2], { seed: 10, temperature: 1, maxTokens: 8, n: 3 }))
    expect(new Set(pieces.map(({ index }) => index))).toEqual(new Set([0, 1, 2]))
  })

  it('has timings that add up', async () => {
    const { generate } = setup({ maxSequences: 1 })
    const all = await Promise.all([1, 2, 3].map((id) => generate([id], { maxTokens: 10 })))
    for (const { timings } of all) {
      expect(timings.queueMs + timings.prefillMs).toBeCloseTo(timings.ttftMs, 6)
      for (const value of Object.values(timings)) expect(value).toBeGreaterThanOrEqual(0)
      expect(timings.decodeMs).toBeGreaterThan(0)
    }
    const [first, second, third] = all.map(({ timings }) => timings.queueMs) as [number, number, number]
    expect(first < second && second < third).toBe(true)
  })

  it('shares steps with the calls beside it', async () => {
    const { generate, executor } = setup()
    await Promise.all([1, 2, 3, 4].map((id) => generate([id], { maxTokens: 10 })))
    expect(executor.steps.length).toBe(10)
    expect(executor.steps.every(({ sequences }) => sequences === 4)).toBe(true)
  })

  it('that is too long is refused at once, with the numbers', async () => {
    const { generate } = setup({ context: 100 })
    await expect(generate([1, 2], { maxTokens: 99 })).rejects.toThrow(
      'prompt (2) and maxTokens (99) need 101 tokens, but the context is 100 tokens',
    )
    await expect(generate(new Array(100).fill(1))).rejects.toEqual(code('KV_TOO_LONG'))
    expect((await generate([1, 2])).usage.completionTokens).toBe(98)
  })
})

describe('trouble', () => {
  it('on the device fails what was in flight, and nothing else', async () => {
    const world = setup({ maxSequences: 2 })
    world.executor.automatic = false
    const failing = [world.generate([1], { maxTokens: 50 }), world.generate([2], { maxTokens: 50 })]
    const outcomes = Promise.allSettled(failing)
    const waiting = world.generate([3], { temperature: 0, maxTokens: 5 })
    await turn()
    world.executor.failure = new Error('device lost')
    world.executor.tick()
    world.executor.automatic = true
    world.executor.open(0, {} as never) // wakes the queue
    await turn()
    world.executor.tick()
    expect((await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason.message)).toEqual([
      'device lost',
      'device lost',
    ])
    expect((await waiting).tokens).toEqual(continuation([3], greedy, 5))
    expect((await world.generate([4], { temperature: 0, maxTokens: 5 })).tokens).toEqual(continuation([4], greedy, 5))
    expect(await idle(world)).toMatchObject({ requests: 0, freePages: 64, freeSlots: 2 })
  })

  it('when a step is refused at once is the same', async () => {
    const world = setup()
    const submit = world.executor.submit
    world.executor.submit = () => {
      throw new Error('refused')
    }
    await expect(Promise.all([world.generate([1]), world.generate([2])])).rejects.toThrow('refused')
    world.executor.submit = submit
    expect((await world.generate([1], { temperature: 0, maxTokens: 2 })).tokens).toHaveLength(2)
    expect(await idle(world)).toMatchObject({ requests: 0, freePages: 64, freeSlots: 8 })
  })

  it('of one request is not that of another', async () => {
    const world = setup()
    const broken = {
      push: () => {
        throw new Error('no such id')
      },
      flush: () => '',
    }
    const failing = world.generate([1], { maxTokens: 5 }, undefined, broken)
    const fine = world.generate([2], { temperature: 0, maxTokens: 5 })
    await expect(failing).rejects.toThrow('no such id')
    expect((await fine).tokens).toHaveLength(5)
    expect(await idle(world)).toMatchObject({ requests: 0, freePages: 64 })
  })

  it('reaches who iterates', async () => {
    const { generate } = setup()
    await expect(piecesOf(generate([1], { temperature: 9 }))).rejects.toEqual(code('KV_ARGUMENT'))
  })
})

describe('dispose()', () => {
  it('waits for the step in flight, then rejects the rest and stops the device', async () => {
    const world = setup()
    world.executor.automatic = false
    const calls = Promise.allSettled([world.generate([1], { maxTokens: 50 }), world.generate([2], { maxTokens: 1 })])
    await turn()
    const disposed = world.engine.dispose()
    await turn()
    expect(world.executor.disposed).toBe(false)
    while (world.executor.queued > 0) world.executor.tick()
    await disposed
    expect(world.executor.disposed).toBe(true)
    const [cut, done] = await calls
    expect(cut).toMatchObject({ status: 'rejected', reason: { code: 'KV_DISPOSED' } })
    expect(done).toMatchObject({ status: 'fulfilled' })
  })

  it('may be called twice, and ends new calls at once', async () => {
    const { engine, generate } = setup()
    await Promise.all([engine.dispose(), engine.dispose()])
    await expect(generate([1])).rejects.toEqual(code('KV_DISPOSED'))
  })
})

it('an idle engine has nothing pending', async () => {
  const pending = () => process.getActiveResourcesInfo().sort()
  const before = pending() // the test runner's own
  const { generate, engine } = setup()
  await generate([1], { maxTokens: 5 })
  await engine.settled()
  expect(pending()).toEqual(before)
})

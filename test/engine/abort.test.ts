// Calls that end before their time: nothing of them stays, and nobody else notices.
import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { call } from '../../lib/engine/call.ts'
import { ScoreRequest } from '../../lib/engine/score-request.ts'
import { idle, setup } from '../support/engine.ts'
import { continuation } from '../support/fake-executor.ts'

const greedy = { temperature: 0, seed: [0, 0] as [number, number], frequencyPenalty: 0 }
const code = (code: string) => expect.objectContaining({ code })

describe('ending a call early', () => {
  const abortTimes = [0, 1, 2, 3, 5, 8]

  it.each(abortTimes)('by signal rejects with KV_ABORTED and leaves nothing behind (after %i turns)', async (turns) => {
    const world = setup()
    const controller = new AbortController()
    const generation = world.generate([1, 2, 3], { maxTokens: 100 }, controller.signal)
    const rest = world.generate([4], { temperature: 0, maxTokens: 30 })
    for (let i = 0; i < turns; i++) await turn()
    controller.abort(new Error('enough'))
    await expect(generation).rejects.toMatchObject({ code: 'KV_ABORTED', cause: { message: 'enough' } })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect((await rest).tokens).toEqual(continuation([4], greedy, 30))
    expect(await idle(world)).toMatchObject({ requests: 0, running: 0, freePages: 64, freeSlots: 8 })
  })

  it('with a signal that has fired starts nothing', async () => {
    const world = setup()
    await expect(world.generate([1], {}, AbortSignal.abort())).rejects.toEqual(code('KV_ABORTED'))
    expect(world.executor.steps).toEqual([])
  })

  it('leaves no listener after a good end either', async () => {
    const { generate, engine } = setup()
    const { signal } = new AbortController()
    await Promise.all(Array.from({ length: 20 }, () => generate([1], { maxTokens: 3 }, signal)))
    await call<Float32Array>(
      engine,
      (outcome) => new ScoreRequest(outcome, { ids: Int32Array.of(1, 2), program: 0 }),
      signal,
    )
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('by leaving the loop gives what there is', async () => {
    const world = setup()
    const generation = world.generate([1], { temperature: 0, maxTokens: 200 })
    let seen = 0
    for await (const _ of generation) if (++seen === 5) break
    const answer = await generation
    expect(answer.finishReason).toBe('abort')
    expect(answer.tokens).toEqual(continuation([1], greedy, answer.tokens.length))
    expect(answer.tokens.length).toBeLessThan(10)
    expect(await idle(world)).toMatchObject({ requests: 0, freePages: 64 })
  })

  it('by abort() before anything ran gives an empty answer', async () => {
    const { generate } = setup()
    const generation = generate([1])
    generation.abort()
    generation.abort()
    expect(await generation).toMatchObject({ text: '', tokens: [], finishReason: 'abort' })
  })

  it('reaches scores and embeddings', async () => {
    const world = setup()
    const controller = new AbortController()
    const ids = Int32Array.from({ length: 300 }, () => 1)
    const score = call<Float32Array>(world.engine, (o) => new ScoreRequest(o, { ids, program: 0 }), controller.signal)
    await turn()
    controller.abort()
    await expect(score).rejects.toEqual(code('KV_ABORTED'))
    expect(await idle(world)).toMatchObject({ requests: 0, freePages: 64, freeSlots: 8 })
  })

  it('an error that nobody looks at is no unhandled rejection', async () => {
    const { generate } = setup()
    const seen: unknown[] = []
    const listen = (reason: unknown) => seen.push(reason)
    process.on('unhandledRejection', listen)
    generate([1], { temperature: -1 })
    await turn()
    await turn()
    process.off('unhandledRejection', listen)
    expect(seen).toEqual([])
  })
})

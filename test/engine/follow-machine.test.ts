// A loaded model follows the power of the machine: the priority of its threads, as the kernel sees it, while it answers.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { followMachine } from '../../lib/engine/follow-machine.ts'
import { load } from '../../lib/index.ts'
import type { Power } from '../../lib/machine/power.ts'
import type { NativeExecutor } from '../../lib/native.ts'
import { setup } from '../support/engine.ts'
import { testModel } from '../support/model.ts'

/** How nice the threads of this process are: the 19th field, after the name in brackets. */
const niceThreads = () =>
  readdirSync('/proc/self/task').filter((id) => {
    try {
      return (
        readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[16] === '10'
      )
    } catch {
      return false // it ended just now
    }
  }).length

it.skipIf(process.platform !== 'linux')('priority: background lowers the threads that compute', async () => {
  const model = await testModel()
  const before = niceThreads()
  const llm = await load(model, { priority: 'background', threads: 3, maxSequences: 1, context: 512 })
  await llm.generate('Once', { maxTokens: 4 })
  expect([llm.stats().priority, niceThreads() - before]).toEqual(['background', 3])
  await llm.dispose()
})

describe('while it answers', () => {
  it.skipIf(process.platform !== 'linux')('threads change their priority and the answer stays', async () => {
    const options = { threads: 3, maxSequences: 1, context: 512, priority: 'normal' } as const
    const llm = await load(await testModel(), options)
    const ask = { temperature: 0, maxTokens: 120, ignoreEos: true }
    const calm = (await llm.generate('Once upon a time', ask)).tokens
    const { executor } = (llm as unknown as { parts: { engine: { executor: NativeExecutor } } }).parts.engine
    const before = niceThreads()
    let count = 0
    const seen = new Set<string>()
    const tokens: number[] = []
    for await (const piece of llm.generate('Once upon a time', ask)) {
      tokens.push(...piece.tokens)
      const priority = ++count % 2 ? 'background' : 'normal'
      executor.setPriority(priority)
      if (count % 7 === 0) executor.setPriority(priority) // nothing to do
      expect(llm.stats().priority).toBe(priority)
      seen.add(priority)
    }
    expect(tokens).toEqual([...calm])
    expect(seen.size).toBe(2)
    for (const [priority, threads] of [
      ['background', 3],
      ['normal', 0],
      ['background', 3],
    ] as const) {
      executor.setPriority(priority)
      await llm.generate('Once', { maxTokens: 4 })
      expect(niceThreads() - before).toBe(threads)
    }
    executor.setPriority('normal')
    await llm.dispose() // while threads take over
    expect(() => executor.setPriority('background')).toThrow(expect.objectContaining({ code: 'KV_DISPOSED' }))
  })
})

it('asks every few seconds, and stops when the model is gone', () => {
  vi.useFakeTimers()
  const { engine } = setup()
  const told: string[] = []
  const device = { setPriority: (priority: string) => void told.push(priority) }
  const powers: Power[] = ['battery', 'battery', 'mains']
  const stop = followMachine(engine, device, { power: () => powers.shift() ?? 'unknown' })
  vi.advanceTimersByTime(20_000)
  expect(told).toEqual(['background', 'background', 'normal', 'normal'])
  stop()
  vi.advanceTimersByTime(60_000)
  expect(told).toHaveLength(4)
  vi.useRealTimers()
})

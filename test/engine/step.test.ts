// The words of a step, by hand. native/executor/step.h is the specification.
import { describe, expect, it } from 'vitest'
import { StepReader, StepWriter } from '../../lib/engine/step.ts'
import { setup } from '../support/engine.ts'

/** The steps that an engine sends. */
function recorded(world: ReturnType<typeof setup>): number[][] {
  const steps: number[][] = []
  const submit = world.executor.submit.bind(world.executor)
  world.executor.submit = (words) => {
    steps.push([...words])
    return submit(words)
  }
  return steps
}

const floatBits = (x: number) => new Int32Array(Float32Array.of(x).buffer)[0]!

describe('the words of a step', () => {
  it('are header, tokens, sequences, blocks, rows', async () => {
    const world = setup()
    const steps = recorded(world)
    await Promise.all([
      world.generate([5, 6, 7], { maxTokens: 1, temperature: 0 }),
      world.generate([8, 9], { maxTokens: 1, temperature: 0 }),
    ])
    // program T S L B C | tokens | slot, count, position, blocks | pages | index, slot, target
    expect(steps[0]).toEqual([0, 5, 2, 2, 2, 0, 5, 6, 7, 8, 9, 0, 3, 0, 1, 1, 2, 0, 1, 0, 1, 2, 0, -1, 4, 1, -1])
  })

  it('name the slot of an id that is still being sampled', async () => {
    const world = setup()
    const steps = recorded(world)
    await world.generate([5, 6, 7], { maxTokens: 3, temperature: 0 })
    expect(steps[1]).toEqual([0, 1, 1, 1, 1, 0, -1, 0, 1, 3, 1, 0, 0, 0, -1])
    expect(steps.length).toBe(3)
  })

  it('name every page of a sequence, and the copies of shared ones', async () => {
    const world = setup({ maxTokens: 64 })
    const steps = recorded(world)
    const prompt = Array.from({ length: 40 }, (_, i) => i)
    await world.generate(prompt, { maxTokens: 2, temperature: 0, n: 2 })
    expect(steps[0]!.slice(0, 6)).toEqual([0, 40, 1, 2, 2, 0])
    expect(steps[0]!.slice(-8)).toEqual([0, 1, 39, 0, -1, 39, 1, -1])
    expect(steps[1]).toEqual([
      ...[0, 2, 2, 2, 4, 1],
      ...[-1, -2],
      ...[0, 1, 40, 2, 1, 1, 40, 2],
      ...[0, 2, 0, 1],
      ...[0, 0, -1, 1, 1, -1],
      ...[1, 2],
    ])
  })

  it('reuse one buffer, which grows', () => {
    const writer = new StepWriter()
    const empty = { program: 0, tokens: 0, blocks: 0, chunks: [], rows: [], copies: [] as number[] } as never
    const first = writer.write(empty)
    expect(writer.write(empty).buffer).toBe(first.buffer)
    const large = { ...(empty as object), copies: new Array(20000).fill(1) } as never
    expect(writer.write(large).length).toBe(20006)
  })
})

describe('the words of a result', () => {
  it('are rows with as many alternatives as were asked for', () => {
    const words = Int32Array.of(
      7,
      floatBits(-0.5),
      1 + 4,
      0,
      8,
      floatBits(-1.5),
      2,
      2,
      8,
      floatBits(-1.5),
      9,
      floatBits(-2),
    )
    const reader = new StepReader(words)
    expect({ ...reader.nextRow() }).toEqual({
      id: 7,
      logprob: -0.5,
      ...{ stop: true, ended: false, stuck: true },
      topIds: [],
      topLogprobs: [],
    })
    expect({ ...reader.nextRow() }).toEqual({
      id: 8,
      logprob: -1.5,
      ...{ stop: false, ended: true, stuck: false },
      topIds: [8, 9],
      topLogprobs: [-1.5, -2],
    })
  })

  it('end with the pooled vectors', () => {
    const words = Int32Array.from([1, 2, 3, 4, 5, 6], floatBits)
    expect(new StepReader(words).pooled(2).map((v) => [...v])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
  })

  it('are refused when they are too short', () => {
    expect(() => new StepReader(Int32Array.of(7, 0, 0, 1, 5)).nextRow()).toThrow(/a row needs 6 words, 5 are left/)
    expect(() => new StepReader(Int32Array.of(1, 2, 3)).pooled(2)).toThrow(/3 words are left for 2 pooled vectors/)
  })
})

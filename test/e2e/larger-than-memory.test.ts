// A model of which a part streams from its file: the same tokens as with all of it in memory, whatever part that is.
import { expect, it, vi } from 'vitest'
import { load } from '../../lib/index.ts'
import * as machineModule from '../../lib/machine/machine.ts'
import { testModel } from '../support/model.ts'

vi.mock('../../lib/machine/machine.ts', async (original) => {
  const real = await original<typeof machineModule>()
  return { ...real, machine: vi.fn(real.machine) }
})

async function tokens(available: number | undefined) {
  const real = machineModule.machine()
  if (available !== undefined) vi.mocked(machineModule.machine).mockReturnValueOnce({ ...real, available })
  const llm = await load(await testModel(), { weights: 'as-is', maxSequences: 2, context: 512 })
  const options = { temperature: 0, maxTokens: 24, ignoreEos: true }
  const answers = await Promise.all(['Once upon a time', 'The capital of'].map((text) => llm.generate(text, options)))
  const { why } = llm.info
  await llm.dispose()
  return { tokens: answers.map((answer) => [...answer.tokens]), why: why.weights }
}

it('gives the same tokens', async () => {
  const whole = await tokens(undefined)
  for (const available of [100e6, 50e6, 8e6, 1]) {
    const { tokens: found, why } = await tokens(available)
    expect(found).toEqual(whole.tokens)
    expect(why).toBe('as asked')
  }
})

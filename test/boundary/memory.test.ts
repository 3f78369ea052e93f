// Loading and disposing a model again and again, in a process of its own: the memory comes back each time.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { testModel } from '../support/model.ts'

const cwd = join(__dirname, '..', '..')

it('20 models, one after another, leave no more than one', async () => {
  const script = `const { load } = require('kvasir')
    const turn = () => new Promise((resolve) => setTimeout(resolve, 20))
    const resident = async () => {
      gc(); await turn(); gc(); await turn()
      return process.memoryUsage().rss / 1e6
    }
    ;(async () => {
      const megabytes = [await resident()]
      for (let i = 0; i < 20; i++) {
        const llm = await load(${JSON.stringify(await testModel())})
        await llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 12 })
        await llm.dispose()
        megabytes.push(await resident())
      }
      console.log(JSON.stringify(megabytes))
    })()`
  // V8's young generation would grow to 32 MB and more, which is no memory of ours.
  const flags = ['--expose-gc', '--max-semi-space-size=1']
  const [start, first, ...later] = JSON.parse(
    execFileSync(process.execPath, [...flags, '-e', script], { cwd, encoding: 'utf8' }),
  ) as [number, number, ...number[]]
  const most = Math.max(...later)
  console.log(
    `MB: ${start.toFixed(1)} at the start, ${first.toFixed(1)} after one model, ${most.toFixed(1)} at most later`,
  )
  expect(most - first).toBeLessThan(5)
  expect(most - start).toBeLessThan(25) // the addon, its code, what JavaScript has compiled
})

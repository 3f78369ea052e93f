// Loading and disposing a model again and again, in a process of its own: the memory comes back each time.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { testModel } from '../support/model.ts'

const cwd = join(__dirname, '..', '..')

/** Megabytes: all that is resident, and the part that no file backs and no other process shares. */
interface Megabytes {
  resident: number
  own: number
}

it('20 models, one after another, leave no more than one', async () => {
  const script = `const { load } = require('kvasir')
    const { readFileSync } = require('node:fs')
    const turn = () => new Promise((resolve) => setTimeout(resolve, 20))
    const memory = async () => {
      for (let i = 0; i < 3; i++) { gc(); await turn() }
      const resident = process.memoryUsage.rss() / 1e6
      if (process.platform !== 'linux') return { resident, own: resident }
      return { resident, own: /Anonymous: +([0-9]+)/.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1] / 1e3 }
    }
    const once = async () => {
      const llm = await load(${JSON.stringify(await testModel())})
      await llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 12 })
      await llm.dispose()
    }
    ;(async () => {
      const course = [await memory()]
      for (let i = 0; i < 20; i++) {
        await once()
        course.push(await memory())
      }
      console.log(JSON.stringify(course))
    })()`
  // V8's young generation would grow to 32 MB and more, which is no memory of ours.
  const flags = ['--expose-gc', '--max-semi-space-size=1']
  const course: Megabytes[] = JSON.parse(
    execFileSync(process.execPath, [...flags, '-e', script], { cwd, encoding: 'utf8' }),
  )
  const [start, first] = course as [Megabytes, Megabytes]
  const most = (part: keyof Megabytes) => Math.max(...course.slice(2).map((each) => each[part]))
  for (const part of ['resident', 'own'] as const)
    console.log(
      `${part}, MB: ${start[part].toFixed(1)} at the start, +${(first[part] - start[part]).toFixed(1)} after one model, ` +
        `+${(most(part) - start[part]).toFixed(1)} at most after 20`,
    )
  expect(most('resident') - first.resident).toBeLessThan(5)
  expect(most('own') - start.own).toBeLessThan(10)
  expect(most('resident') - start.resident).toBeLessThan(16) // with the pages of the addon, and more of Node's own
})

// A model in a real memory cgroup: a neighbour in the same group takes what is left, the KV cache gives way while answers
// are generated, nobody is killed, and the answers are those of a run without want. Skipped where no group can be made.
import { spawn } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { load } from '../../lib/index.ts'
import { memoryGroup } from '../support/memory-group.ts'
import { testModel } from '../support/model.ts'

const group = memoryGroup(500e6)
const dist = join(__dirname, '..', '..', 'dist')

// Fills the cache with prompts, asks the neighbour for memory, and goes on until the cache has given way.
const program = (model: string) => `
  const { load } = require(${JSON.stringify(dist)})
  const prompt = (i) => Array.from({ length: 900 }, (_, j) => 100 + ((i * 7919 + j * 31) % 4000))
  const ask = (llm, i) => llm.generate(prompt(i), { maxTokens: 24, temperature: 0, ignoreEos: true })
  load(${JSON.stringify(model)}, { context: 1024, maxSequences: 16, pages: 512 }).then(async (llm) => {
    const changes = []
    llm.watch({ resized: ({ now, resident }, why) => changes.push({ now, resident, why }) })
    await Promise.all(Array.from({ length: 14 }, (_, i) => ask(llm, i)))
    const filled = llm.stats().residentPages
    process.send({ take: true })
    let tokens
    for (let i = 0; llm.stats().stepsDown === 0 && i < 400; i++) tokens = (await ask(llm, i % 3)).tokens
    const { stepsDown, residentPages, pages } = llm.stats()
    const answers = await Promise.all([0, 1, 2].map((i) => ask(llm, i)))
    await llm.dispose()
    process.send({ filled, stepsDown, residentPages, pages, changes, answers: answers.map(({ tokens }) => tokens) })
    process.disconnect()
  })`

// Takes memory until less than 4 % of the group is free.
const NEIGHBOUR = `
  const { memoryGauge } = require(${JSON.stringify(join(dist, 'machine', 'memory-pressure.js'))})
  const gauge = memoryGauge()
  const held = []
  process.on('message', () => {
    for (let now = gauge(); now.free > 0.04 * now.limit; now = gauge()) held.push(Buffer.alloc(4e6, 1))
  })
  process.on('disconnect', () => process.exit())`

const inGroup = (script: string) =>
  spawn('sh', ['-c', `echo $$ > ${group}/cgroup.procs && exec "$0" "$@"`, process.execPath, '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })

it.skipIf(group === undefined)(
  'the KV cache gives way to a neighbour, and answers stay the same',
  async () => {
    const model = await testModel()
    const neighbour = inGroup(NEIGHBOUR)
    const child = inGroup(program(model))
    const found = await new Promise<Record<string, unknown>>((resolve, reject) => {
      child.on('message', (message: Record<string, unknown>) => {
        // All but 30 MB of what the group allows, on top of the model, its cache and two processes.
        if (message['take']) neighbour.send({ bytes: 360e6 })
        else resolve(message)
      })
      child.on('exit', (status, signal) => reject(new Error(`the model's process ended with ${signal ?? status}`)))
    })
    const ended = new Promise((resolve) => neighbour.on('exit', resolve))
    neighbour.disconnect()
    await ended
    await new Promise((resolve) => (child.exitCode === null ? child.on('exit', resolve) : resolve(0)))
    rmdirSync(group!)

    console.log(JSON.stringify({ ...found, answers: undefined }))
    const { filled, stepsDown, residentPages, pages, answers } = found as Record<string, number> & {
      answers: number[][]
    }
    expect(stepsDown).toBeGreaterThan(0)
    expect(pages).toBeLessThan(512)
    expect(residentPages).toBeLessThan(filled!)
    const llm = await load(model, { context: 1024, maxSequences: 4, yieldMemory: false })
    const prompt = (i: number) => Array.from({ length: 900 }, (_, j) => 100 + ((i * 7919 + j * 31) % 4000))
    const calm = await Promise.all(
      [0, 1, 2].map((i) => llm.generate(prompt(i), { maxTokens: 24, temperature: 0, ignoreEos: true })),
    )
    await llm.dispose()
    expect(answers).toEqual(calm.map(({ tokens }) => [...tokens]))
  },
  120_000,
)

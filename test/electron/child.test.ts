// The two ways to start a host. Electron's utilityProcess is played by a Node process whose process.parentPort behaves
// as Electron documents it; the host and the side that starts it are the real ones, from the built package.
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { UtilityProcess } from '../../lib/electron/child.ts'
import type { ModelInfo } from '../../lib/index.ts'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const built = join(__dirname, '..', '..', 'dist', 'electron')
const { startChild } = require(join(built, 'child.js')) as typeof import('../../lib/electron/child.ts')
const { Connection } = require(join(built, 'connection.js')) as typeof import('../../lib/electron/connection.ts')

const parentPort = `
  process.parentPort = {
    on: (_, listener) => process.on('message', (data) => listener({ data })),
    postMessage: (message) => send(message),
  }
  const send = process.send.bind(process)
  process.send = undefined // a utility process has none`

function utilityProcess(folder: string): UtilityProcess & { children: ChildProcess[] } {
  const preload = join(folder, 'parent-port.cjs')
  writeFileSync(preload, parentPort)
  const children: ChildProcess[] = []
  return {
    children,
    fork(path, args) {
      const child = fork(path, args, { serialization: 'advanced', execArgv: ['--require', preload] })
      children.push(child)
      const postMessage = (message: never) => void child.send(message)
      return Object.assign(child, { postMessage }) as unknown as ReturnType<UtilityProcess['fork']>
    },
  }
}

it('a host in a utility process answers, and its end is seen', async () => {
  const utility = utilityProcess(temporaryFolder())
  const exits: string[] = []
  const connection = new Connection(
    ({ code }) => exits.push(code),
    (events) => startChild(events, undefined, utility),
  )
  const info = await connection.call<ModelInfo>({ method: 'load', input: await testModel(), options: { threads: 1 } })
    .result
  expect(info.layers).toBe(30)
  const pieces: string[] = []
  const answer = await new Promise<{ text: string }>((resolve, reject) => {
    const options = { temperature: 0, maxTokens: 8 }
    const waiting = {
      resolve: resolve as () => void,
      reject,
      piece: ({ text }: { text: string }) => void pieces.push(text),
    }
    connection.send({ method: 'generate', input: 'One two three', options }, waiting)
  })
  expect(answer.text.length).toBeGreaterThan(3)
  expect(pieces.join('')).toBe(answer.text)

  const lost = connection.call({ method: 'generate', input: 'Once', options: { maxTokens: 2000, ignoreEos: true } })
  utility.children[0]!.kill('SIGKILL')
  await expect(lost.result).rejects.toMatchObject({ code: 'KV_HOST' })
  expect(exits).toEqual(['KV_HOST'])
  await expect(connection.call({ method: 'memory' }).result).rejects.toMatchObject({ code: 'KV_HOST' })
})

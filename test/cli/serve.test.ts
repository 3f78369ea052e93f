// kvasir serve as a process of its own: what it prints, whom it lets in, and how signals end it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js')
const folder = temporaryFolder()
const children: ChildProcess[] = []
let model: string

beforeAll(async () => {
  model = await testModel()
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function kvasir(...args: string[]) {
  const child = spawn(process.execPath, [main, 'serve', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    said.out += data
  })
  child.stderr.on('data', (data) => {
    said.err += data
  })
  const exit = once(child, 'close').then(([code]) => code as number)
  return { child, said, exit }
}

/** A server that listens, and where. */
async function serving(...flags: string[]) {
  const process = kvasir(model, '--port', '0', '--context', '1024', ...flags)
  while (!process.said.out.includes('\n')) {
    if (process.child.exitCode !== null) throw new Error(process.said.err)
    await sleep(20)
  }
  return { ...process, url: /(http:\S+)\n$/.exec(process.said.out)![1]! }
}

const ask = (url: string, max_tokens: number, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens, ignore_eos: true, seed: 1 }),
  })

it('prints one line with its address, logs to stderr, and ends in order on SIGTERM', async () => {
  const { child, said, exit, url } = await serving('--name', 'small')
  expect(said.out).toMatch(/^\S.* at http:\/\/127\.0\.0\.1:\d+\n$/)
  expect(await (await fetch(`${url}/v1/models`)).json()).toMatchObject({ data: [{ id: 'small' }] })
  const answer = ask(url, 300)
  await sleep(200)
  child.kill('SIGTERM')
  expect(await (await answer).json()).toMatchObject({ usage: { completion_tokens: 300 } })
  expect(await exit).toBe(0)
  const lines = said.err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.at(-1)).toMatchObject({
    level: 'info',
    path: '/v1/chat/completions',
    status: 200,
    completionTokens: 300,
  })
})

it('ends at once on a second signal', async () => {
  const { child, exit, url } = await serving('--log-level', 'silent')
  const answer = ask(url, 900)
    .then((response) => response.text())
    .catch(() => 'cut')
  await sleep(200)
  child.kill('SIGINT')
  await sleep(100)
  expect(child.exitCode).toBeNull()
  child.kill('SIGINT')
  expect(await exit).toBe(0)
  expect(await answer).toBe('cut')
})

it('lets in the keys of a file', async () => {
  const keys = join(folder, 'keys.json')
  writeFileSync(keys, JSON.stringify({ tenants: [{ name: 'a', keys: ['k1'], class: 'batch' }] }))
  const { url } = await serving('--keys', keys, '--api-key', 'k2', '--no-page')
  for (const key of ['k1', 'k2']) expect((await ask(url, 1, { authorization: `Bearer ${key}` })).status).toBe(200)
  expect((await ask(url, 1)).status).toBe(401)
  expect((await fetch(url)).status).toBe(404)
})

it('says what is wrong before a model is loaded', async () => {
  const wrong = async (...args: string[]) => {
    const { said, exit } = kvasir(...args)
    return { code: await exit, err: said.err }
  }
  const bad = join(folder, 'bad.json')
  writeFileSync(bad, '{ "tenants": [{ "name": "a", "kesy": [] }] }')
  expect(await wrong()).toMatchObject({ code: 1, err: expect.stringMatching(/expected a model/) })
  expect(await wrong('no-such-model', '--keys', bad)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/bad\.json: .*kesy/s),
  })
  expect(await wrong('no-such-model', '--keys', '/none')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/\/none: ENOENT/),
  })
  expect(await wrong('no-such-model', '--log-level', 'loud')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/found loud/),
  })
  expect(await wrong('no-such-model', '--port', 'x')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--port: expected a number/),
  })
  expect(await wrong('no-such-model', '--swap-folder', folder)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--swap-folder: expected --swap BYTES with it/),
  })
})

it('makes room for swap, in a file', async () => {
  const { url } = await serving('--swap', '1000000', '--swap-folder', folder)
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^kvasir_swap_bytes_total\{direction="out",.*\} 0$/m)
})

it('says that a port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const { said, exit } = kvasir(model, '--port', String(port), '--context', '256')
  expect(await exit).toBe(1)
  expect(said.err).toMatch(/^kvasir serve: cannot listen at 127.0.0.1: port \d+ is taken; 0 takes a free one\n$/)
  other.close()
})

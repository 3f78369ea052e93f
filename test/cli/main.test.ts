// The kvasir command as a process of its own, on the built package and the real model.
import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { testModel } from '../support/model.ts'
import { temporaryFolder } from '../support/temporary.ts'

const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js')
const folder = temporaryFolder()
let model: string

beforeAll(async () => {
  model = await testModel()
})

function kvasir(args: string[], options: SpawnSyncOptions = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    timeout: 60_000,
    input: '',
    ...options,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const FIGURES = /^prompt \d+ tokens, prefill [\d.]+ t\/s, decode [\d.]+ t\/s, first token \d+ ms, peak memory \d+ MB\n$/

describe('kvasir', () => {
  it('lists its commands', () => {
    const { status, stdout, stderr } = kvasir(['help'])
    expect([status, stderr]).toEqual([0, ''])
    for (const name of ['chat', 'generate', 'serve', 'pull', 'inspect', 'quantize', 'bench'])
      expect(stdout).toMatch(`kvasir ${name}`)
    expect(kvasir([])).toEqual({ status: 2, stdout, stderr: '' })
  })

  it('answers an unknown command, or flag, with help and status 2', () => {
    const unknown = kvasir(['sing'])
    expect(unknown.status).toBe(2)
    expect(unknown.stderr).toMatch(/^kvasir: there is no command "sing"\n\n {2}kvasir chat/)
    const flag = kvasir(['chat', '--loud'])
    expect(flag.status).toBe(2)
    expect(flag.stderr).toMatch(/^kvasir chat: Unknown option '--loud'; see kvasir help\n$/)
    expect(kvasir(['toString']).status).toBe(2)
  })

  it.each([
    [['generate'], /^kvasir generate: expected a model: kvasir generate MODEL TEXT\n$/],
    [['chat', './no-such.gguf', 'hi'], /^kvasir chat: .*no-such\.gguf.*\n$/],
    [['chat', 'MODEL', 'hi', '-t', 'warm'], /^kvasir chat: --temperature: expected a number, found "warm"\n$/],
    [['chat', 'MODEL', 'hi', '-t', '9'], /^kvasir chat: temperature: expected a number from 0 up to 2, found 9\n$/],
    [['chat', 'MODEL', 'hi', '--kv', 'f8'], /^kvasir chat: kv: expected 'kv8' or 'f16' or 'f32', found 'f8'\n$/],
    [['bench', 'replay'], /^kvasir bench: expected a trace: kvasir bench replay TRACE\n$/],
    [['bench', 'replay', 'x.csv', '--policy', 'lifo'], /^kvasir bench: --policy lifo: expected one of qos, fcfs, /],
    [['bench', 'replay', 'x.csv', '--scale', '0'], /^kvasir bench: --scale: expected numbers above 0 .* found "0"\n$/],
    [['bench', 'replay', 'no-such.csv'], /^kvasir bench: no trace at no-such\.csv\n$/],
    [['chat', 'MODEL'], /^kvasir chat: nothing to answer/],
  ])('%j fails in one sentence and status 1', (args, message) => {
    const { status, stdout, stderr } = kvasir(args.map((arg) => (arg === 'MODEL' ? model : arg)))
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
  })
})

it('kvasir bench replay prints a table, lines of JSON, and a picture', () => {
  const trace = join(__dirname, '..', '..', 'bench', 'data', 'azure-llm-2023-conv-600.csv')
  const table = kvasir(['bench', 'replay', trace, '--requests', '100'])
  expect(table.stderr).toBe('')
  expect(table.stdout).toMatch(/^azure-llm-2023-conv-600\.csv: 100 requests, .*\n\n +qos +fcfs +vllm +sglang\n/)
  const svg = join(folder, 'replay.svg')
  const lines = kvasir(['bench', 'replay', trace, '--requests', '100', '--policy', 'qos,vllm', '--json', '--svg', svg])
  const found = lines.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(found.map(({ bench, policy }) => [bench, policy])).toEqual([
    ['replay', 'qos'],
    ['replay', 'vllm'],
  ])
  for (const { attained } of found) expect(attained).toBeGreaterThan(0.9)
  expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /)
})

describe('kvasir chat', () => {
  it('answers words once, and ends with the figures', () => {
    const question = ['Why', 'is', 'the', 'sky', 'blue?']
    const { status, stdout, stderr } = kvasir(['chat', model, ...question, '-t', '0', '-n', '20'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/light[^\n]*\n$/)
    expect(stderr).toMatch(FIGURES)
    // The same through a pipe, and with a seed.
    const piped = kvasir(['chat', model, '-t', '0', '-n', '20', '--seed', '5'], { input: `${question.join(' ')}\n` })
    expect(piped.stdout).toBe(stdout)
  })

  it('ends quietly when its reader does', () => {
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${main}" chat "${model}" "Tell me a story" -n 100 | head -c 1; exit 0`],
      { encoding: 'utf8', timeout: 60_000 },
    )
    expect([status, stderr]).toEqual([0, expect.not.stringMatching(/Error|EPIPE/)])
  })
})

it('kvasir generate continues a text', () => {
  const { status, stdout, stderr } = kvasir(['generate', model, 'One, two, three,', '-t', '0', '-n', '8'])
  expect(status).toBe(0)
  expect(stdout).toMatch(/^One, two, three, four, five/)
  expect(stderr.trimStart()).toMatch(FIGURES)
})

// Machines on which device: 'cuda' cannot work: one clear sentence from load() and from `kvasir doctor`, and 'auto' goes on
// with the processor.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeTinyFolder } from '../support/checkpoint.ts'
import { expectedOfGguf } from '../support/expected.ts'
import { inProcess, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const model = join(folder, 'model')
const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js')
let driver: Record<string, string>

beforeAll(() => {
  driver = lookalike()
  writeTinyFolder(model)
  mkdirSync(join(folder, 'empty'))
  mkdirSync(join(folder, 'real'))
  writeFileSync(join(folder, 'real', 'kernels.fatbin'), 'not an image of this driver')
})

const cases: [string, string, RegExp, () => Record<string, string>][] = [
  [
    'no driver',
    'KV_NOT_FOUND',
    /^no NVIDIA driver on this machine: .*none\.so: cannot open shared object file/,
    () => ({ KVASIR_LIBCUDA: join(folder, 'none.so') }),
  ],
  [
    'a library that is no driver',
    'KV_UNSUPPORTED',
    /^libm\.so\.6 is not NVIDIA's driver library: it has no cuDriverGetVersion$/,
    () => ({ KVASIR_LIBCUDA: 'libm.so.6' }),
  ],
  [
    'an old driver',
    'KV_UNSUPPORTED',
    /^the NVIDIA driver is too old: it serves CUDA 11\.4, Kvasir needs 12\.0 or newer; update the driver/,
    () => ({ ...driver, KVASIR_SIMT_VERSION: '11040' }),
  ],
  [
    'no card',
    'KV_NOT_FOUND',
    /^the NVIDIA driver finds no card; check nvidia-smi and CUDA_VISIBLE_DEVICES/,
    () => ({ ...driver, KVASIR_SIMT_DEVICES: '0' }),
  ],
  [
    'a driver that does not start',
    'KV_UNSUPPORTED',
    /^the NVIDIA driver does not start: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH \(803/,
    () => ({ ...driver, KVASIR_SIMT_INIT: '803' }),
  ],
  [
    'a card of Turing',
    'KV_UNSUPPORTED',
    /^Emulated card 0 is too old: compute capability 7\.5, Kvasir needs 8\.0 \(Ampere\) or newer/,
    () => ({ ...driver, KVASIR_SIMT_COMPUTE: '75' }),
  ],
  [
    'no kernels',
    'KV_NOT_FOUND',
    /^this installation has no CUDA kernels \(looked for \*\.fatbin in .*empty/,
    () => ({ ...driver, KVASIR_CUDA_KERNELS: join(folder, 'empty') }),
  ],
  [
    'kernels for another driver',
    'KV_UNSUPPORTED',
    /kernels\.fatbin holds nothing that this driver can run on Emulated card 0: update the driver/,
    () => ({ ...driver, KVASIR_CUDA_KERNELS: join(folder, 'real') }),
  ],
]

describe.each(cases)('%s', (_, code, sentence, env) => {
  it('is one sentence of load(), and no trouble for auto', () => {
    const found = inProcess<{ error: { code: string; message: string }; device: string }>(
      env(),
      `const error = await load(${JSON.stringify(model)}, { device: 'cuda' }).then(() => null, ({ code, message }) => ({ code, message }))
       const llm = await load(${JSON.stringify(model)}, { device: 'auto', maxSequences: 1 })
       await llm.generate([1, 2], { maxTokens: 2 })
       report({ error, device: llm.info.device })
       await llm.dispose()`,
    )
    expect(found.error).toEqual({ code, message: expect.stringMatching(sentence) })
    expect(found.device).toBe('cpu')
  })
})

it.each([
  ['are used where they are right', {}, 'sm_90a'],
  ['are left out where they give other bits', { KVASIR_SIMT_BROKEN: '_wgmma_' }, 'sm_90'],
])('kernels for compute capability 9.0 %s', (_, settings, isa) => {
  const { path, tokens } = expectedOfGguf('llama')
  const found = inProcess<{ isa: string; tokens: number[][] }>(
    { ...driver, KVASIR_SIMT_COMPUTE: '90', ...settings },
    `const tokens = [], isas = []
     for (const device of ['cuda', 'cpu']) {
       const llm = await load(${JSON.stringify(path)}, { device, context: 128, maxSequences: 1 })
       tokens.push((await llm.generate(${JSON.stringify(tokens.slice(0, 20))}, { temperature: 0, maxTokens: 5, ignoreEos: true })).tokens)
       isas.push(llm.info.isa)
       await llm.dispose()
     }
     report({ isa: isas[0], tokens })`,
  )
  expect(found.isa).toBe(isa)
  expect(found.tokens[0]).toEqual(found.tokens[1])
})

it.each([cases[0]!, cases[5]!])('kvasir doctor says so too: %s', (_, code, sentence, env) => {
  const { stdout } = spawnSync(process.execPath, [main, 'doctor', join(model, 'model.safetensors'), '--json'], {
    encoding: 'utf8',
    env: { ...process.env, ...env() },
  })
  const { findings } = JSON.parse(stdout)
  const cuda = findings.find(({ label }: { label: string }) => label === 'cuda')
  expect(cuda.text).toMatch(sentence)
  expect(cuda.advice !== undefined).toBe(code === 'KV_UNSUPPORTED')
})

it('kvasir doctor names the cards that serve, and kvasir generate takes --device', () => {
  const env = { ...process.env, ...driver, KVASIR_SIMT_DEVICES: '2' }
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env })
  expect(run('doctor').stdout).toMatch(
    /✓ cuda +cuda:0 Emulated card 0 \(compute capability 8\.0, 1\.1 GB\), cuda:1 Emulated card 1 .*; driver for CUDA 13\.0/,
  )
  const answer = run('generate', model, 'a b', '-n', '4', '--device', 'cuda:1')
  expect(answer.stderr).not.toMatch(/KV_/)
  expect(answer.status).toBe(0)
  expect(run('generate', model, 'a', '-n', '1', '--device', 'cuda:7').stderr).toMatch(/this machine has 2 cards/)
})

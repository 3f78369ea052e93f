// Tries what may end a process in a process of its own: loading the addon, and loading a model.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export type Probe<T> = { ok: true; value: T } | { ok: false; reason: string }

export interface AddonFacts {
  isa: string
  cores: number
  version: string
  file: string
}

export interface CudaFacts {
  /** 1000 · major + 10 · minor. */
  driver: number
  cards: { name: string; computeCapability: number; memory: number }[]
}

export interface LoadFacts {
  loadMs: number
  tokensPerSecond: number
  firstTokenMs: number
  peakMemory: number
  threads: number
  kv: string
  kvBytes: number
  weightBytes: number
}

const library = join(__dirname, '..', '..')

export function probeAddon(): Promise<Probe<AddonFacts>> {
  return inChild(`
    const info = require(${JSON.stringify(join(library, 'native.js'))}).native().info()
    const file = Object.keys(require.cache).find((path) => path.endsWith('.node'))
    report({ ...info, file })`)
}

/** Bytes of memory that so many threads read in a second; measured once a machine. */
export function probeBandwidth(threads: number): Promise<Probe<number>> {
  return inChild(`
    const { machine } = require(${JSON.stringify(join(library, 'machine', 'machine.js'))})
    const { memoryBandwidth } = require(${JSON.stringify(join(library, 'machine', 'bandwidth.js'))})
    memoryBandwidth(machine(), ${threads}).then(report).catch(failed)`)
}

/** The cards, when the first of them, its driver and our kernels serve. */
export function probeCuda(): Promise<Probe<CudaFacts>> {
  return inChild(`
    const { native, kernelFolders } = require(${JSON.stringify(join(library, 'native.js'))})
    native().cudaCards().then(async (found) => {
      await native().openCuda(0, kernelFolders())
      report(found)
    }).catch(failed)`)
}

export function probeLoad(model: string): Promise<Probe<LoadFacts>> {
  return inChild(`
    const { load } = require(${JSON.stringify(library)})
    const begin = performance.now()
    load(${JSON.stringify(model)}, { maxSequences: 1, context: 512 }).then(async (llm) => {
      const loadMs = performance.now() - begin
      const { usage, timings } = await llm.generate('Once upon a time', { temperature: 0, maxTokens: 32, ignoreEos: true })
      const { threads, kv, kvBytes, weightBytes } = llm.info
      await llm.dispose()
      report({
        loadMs, threads, kv, kvBytes, weightBytes,
        firstTokenMs: timings.ttftMs,
        tokensPerSecond: (usage.completionTokens - 1) / timings.decodeMs * 1000,
        peakMemory: process.resourceUsage().maxRSS * 1024,
      })
    }).catch(failed)`)
}

const MARK = 'kvasir-doctor:'
const PREAMBLE = `
  const report = (value) => console.log('${MARK}' + JSON.stringify({ ok: true, value }))
  const failed = ({ code, message }) =>
    console.log('${MARK}' + JSON.stringify({ ok: false, reason: code ? code + ': ' + message : message }))
  process.on('uncaughtException', failed)`

function inChild<T>(script: string): Promise<Probe<T>> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', PREAMBLE + script], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    child.stderr.on('data', (data) => {
      output += data
    })
    child.on('error', ({ message }) => resolve({ ok: false, reason: message }))
    child.on('close', (status, signal) => {
      const line = output.split('\n').find((one) => one.startsWith(MARK))
      if (line) resolve(JSON.parse(line.slice(MARK.length)))
      else resolve({ ok: false, reason: `its process ended with ${signal ?? `status ${status}`}: ${output.trim()}` })
    })
  })
}

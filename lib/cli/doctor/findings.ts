// What the facts mean: one line for each, and for what is wrong or could be better, what to do about it.

import { type Machine, threadsFor } from '../../machine/machine.ts'
import { type Choices, mostTokens, size } from '../choices.ts'
import type { AddonFacts, CudaFacts, LoadFacts, Probe } from './probe.ts'

export interface Finding {
  label: string
  text: string
  /** What to do about it; with `failed` Kvasir cannot work before it is done. */
  advice?: string
  failed?: boolean
}

export interface Facts {
  versions: { kvasir: string; runtime: string; system: string }
  machine: Machine
  addon: Probe<AddonFacts>
  /** Bytes of memory that the threads read in a second; null when the addon does not work. */
  bandwidth: Probe<number> | null
  /** Null when the addon does not work. */
  cuda: Probe<CudaFacts> | null
  cache: { folder: string; writable: boolean; free: number; models: { file: string; bytes: number }[] }
  /** The model that was tried, or null when there is none on this machine. */
  model: string | null
  load: Probe<LoadFacts> | null
  /** What load() chooses for that model when it is told nothing, or null where it cannot be opened. */
  plan: Choices | null
  /** What is doubtful about the model. */
  warnings: string[]
  /** Environment variables that change what is chosen. */
  overrides: Record<string, string>
}

const GB = 1e9

export function findings(facts: Facts): Finding[] {
  const { versions, overrides } = facts
  const set = Object.entries(overrides).map(([name, value]) => `${name}=${value}`)
  return [
    { label: 'kvasir', text: `${versions.kvasir} on ${versions.runtime}, ${versions.system}` },
    ...(set.length > 0 ? [{ label: 'environment', text: set.join(', ') }] : []),
    addonFinding(facts),
    ...kernelFindings(facts),
    ...cudaFindings(facts),
    coreFinding(facts),
    memoryFinding(facts),
    powerFinding(facts),
    ...planFindings(facts),
    cacheFinding(facts),
    ...loadFindings(facts),
    ...facts.warnings.map((advice) => ({ label: 'model', text: facts.model ?? '', advice })),
  ]
}

function addonFinding({ addon }: Facts): Finding {
  if (addon.ok) return { label: 'addon', text: addon.value.file }
  return { label: 'addon', text: addon.reason, failed: true, advice: addonAdvice(addon.reason) }
}

function addonAdvice(reason: string): string {
  if (/SIGILL/.test(reason))
    return 'The addon met an instruction that this processor lacks: set KVASIR_ISA=baseline and report it.'
  if (/KVASIR_ISA/.test(reason)) return 'Unset KVASIR_ISA, or name a set that this processor has.'
  if (/GLIBC/.test(reason))
    return 'The system is older than the addon: build it here with npm_config_build_from_source=1 npm rebuild kvasir.'
  return 'Install kvasir with its optional files and scripts, or build it: npm_config_build_from_source=1 npm rebuild kvasir (CMake and a C++20 compiler).'
}

function kernelFindings({ addon, machine, overrides }: Facts): Finding[] {
  if (!addon.ok) return []
  const { isa } = addon.value
  const why = overrides['KVASIR_ISA']
    ? 'as KVASIR_ISA says'
    : `the best of ${machine.isas.join(', ')} that this processor has`
  const finding: Finding = { label: 'kernels', text: `${isa}, ${why}` }
  if (isa === 'baseline' && process.arch === 'x64')
    finding.advice = 'Without AVX2 answers come several times slower: use another machine, or a smaller model.'
  else if (overrides['KVASIR_ISA'] && isa !== machine.isas[0])
    finding.advice = `Unset KVASIR_ISA to use ${machine.isas[0]}.`
  return [finding]
}

// A machine without a card is as good as any; a card that does not serve deserves a word.
function cudaFindings({ cuda }: Facts): Finding[] {
  if (cuda === null) return []
  if (!cuda.ok) {
    const [, code, text] = /^(?:(KV_\w+): )?(.*)$/s.exec(cuda.reason)!
    const finding: Finding = { label: 'cuda', text: text! }
    if (code !== 'KV_NOT_FOUND') finding.advice = "Until then device: 'auto' computes on the processor."
    return [finding]
  }
  const { driver, cards } = cuda.value
  const list = cards.map(
    ({ name, computeCapability, memory }, i) =>
      `cuda:${i} ${name} (compute capability ${(computeCapability / 10).toFixed(1)}, ${size(memory)})`,
  )
  const version = `${Math.floor(driver / 1000)}.${Math.floor((driver % 1000) / 10)}`
  return [{ label: 'cuda', text: `${list.join(', ')}; driver for CUDA ${version}` }]
}

function coreFinding({ addon, machine }: Facts): Finding {
  const { cpu, threads, cpuQuota } = machine
  const chosen = addon.ok ? threadsFor(addon.value.cores, machine) : 0
  const why = addon.ok && chosen < addon.value.cores ? 'as many as the cgroup lets run' : 'one for each core'
  const used = addon.ok ? `${chosen} threads will compute, ${why}` : `${threads} hardware threads`
  const quota = cpuQuota === null ? '' : `; the cgroup allows ${cpuQuota.toFixed(1)} CPUs`
  const finding: Finding = { label: 'processor', text: `${cpu}: ${used} of ${threads} hardware threads${quota}` }
  if (!addon.ok) finding.text = `${cpu}: ${used}${quota}`
  return finding
}

function powerFinding({ machine }: Facts): Finding {
  const text = {
    battery: 'on battery: the threads give way to other programs until it is plugged in (priority: auto)',
    mains: 'plugged in: normal priority; background once it runs on its battery (priority: auto)',
    unknown: 'no battery that the system tells of: normal priority',
  }
  return { label: 'power', text: text[machine.power] }
}

function memoryFinding({ machine, bandwidth }: Facts): Finding {
  const { memory, available, memoryLimit, memoryUsed } = machine
  const limit = memoryLimit === null ? '' : `; the cgroup allows ${size(memoryLimit)}, ${size(memoryUsed ?? 0)} in use`
  const speed = bandwidth?.ok ? `; all threads together read ${(bandwidth.value / GB).toFixed(1)} GB/s` : ''
  const finding: Finding = { label: 'memory', text: `${size(available)} of ${size(memory)} available${limit}${speed}` }
  if (available < GB)
    finding.advice = 'Less than 1 GB is left: load with a small context ({ context: 2048, maxSequences: 1 }).'
  return finding
}

/** Below so many tokens a second people wait for the words that they read. */
const READABLE = 10

function planFindings({ plan, bandwidth }: Facts): Finding[] {
  if (!plan) return []
  const { kv, limits, kvBytes, why, weights, formats } = plan
  const most = (bytes: number) => (bandwidth?.ok ? mostTokens(bandwidth.value, bytes) : Number.NaN)
  const tokens = bandwidth?.ok ? `; at most ${most(weights.bytes).toFixed(0)} tokens/s of one conversation` : ''
  const finding: Finding = {
    label: 'weights',
    text: `${weights.format ?? 'as-is'}, ${size(weights.bytes)} (${weights.why})${tokens}`,
  }
  const least = formats.at(-1)!
  if (most(weights.bytes) < READABLE && least.bytes < weights.bytes / 1.5)
    finding.advice = `load(…, { weights: '${least.format}' }) reads ${(weights.bytes / least.bytes).toFixed(1)} times less for every token.`
  return [
    finding,
    { label: 'context', text: `${limits.context} tokens (${why.context})` },
    { label: 'kv cache', text: `${kv} (${why.format}), at most ${size(kvBytes)} (${why.kv})` },
  ]
}

function cacheFinding({ cache }: Facts): Finding {
  const { folder, writable, free, models } = cache
  const list = models.map(({ file, bytes }) => `${file} (${size(bytes)})`).join(', ') || 'no model'
  const finding: Finding = { label: 'models', text: `${folder}, ${size(free)} free: ${list}` }
  if (!writable) finding.advice = `Nothing can be written to ${folder}: set KVASIR_CACHE to a folder that is yours.`
  else if (free < GB) finding.advice = 'The disk is nearly full: remove models, or set KVASIR_CACHE to another disk.'
  return finding
}

function loadFindings({ model, load, addon }: Facts): Finding[] {
  if (!addon.ok) return []
  if (model === null || load === null)
    return [{ label: 'test', text: 'no model to try', advice: 'kvasir pull smollm2:135m brings a small one.' }]
  if (!load.ok)
    return [
      {
        label: 'test',
        text: `${model}: ${load.reason}`,
        failed: true,
        advice: 'kvasir inspect MODEL tells what the file holds.',
      },
    ]
  const { loadMs, tokensPerSecond, firstTokenMs, peakMemory, threads, weightBytes } = load.value
  const figures = [
    `loaded in ${loadMs.toFixed(0)} ms`,
    `first token ${firstTokenMs.toFixed(0)} ms`,
    `${tokensPerSecond.toFixed(0)} tokens/s on ${threads} threads (${((tokensPerSecond * weightBytes) / GB).toFixed(1)} GB/s of weights)`,
    `peak memory ${size(peakMemory)}`,
  ]
  return [{ label: 'test', text: `${model}: ${figures.join(', ')}` }]
}

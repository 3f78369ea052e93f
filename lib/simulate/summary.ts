// A replay in figures. A request is served as promised when its first token came within ttftMs and the others, on
// average, every tpotMs; goodput counts those, a second.
import { PRIORITIES, type Priority, type Targets } from '../scheduler/service.ts'
import type { Replay, Saturated, SimulatedSequence } from './replay.ts'

export interface ClassSummary {
  requests: number
  /** Share served as promised. */
  attained: number
  ttftMs: { p50: number; p99: number }
  tpotMs: { p50: number; p99: number }
  tokensPerSecond: number
}

export interface Summary extends Saturated {
  policy: string
  scale: number
  targets: Readonly<Record<Priority, Targets>>
  classes: Record<Priority, ClassSummary>
  /** Of all requests. */
  attained: number
  goodput: number
  tokensPerSecond: number
  /** Of the time in which somebody waited, the share in which the device did nothing. */
  idle: number
  pagesUsed: number
  pagesLive: number
  pagesPeak: number
  preemptions: number
  /** Share of requests that had to give way. */
  preempted: number
  /** Pages copied out of the KV cache, and back into it. */
  swappedOut: number
  swappedIn: number
  /** Tokens computed for each that had to be: 1 where nothing was computed twice. */
  recomputed: number
  refused: number
  /** Share of prompt tokens found in the prefix cache, and what a cache without bounds would find. */
  hits: number
  idealHits: number
  steps: number
  /** Virtual seconds in a second of this machine. */
  speedUp: number
}

export const ttft = (seq: SimulatedSequence): number => (seq.done > 0 ? seq.first - seq.arrival : Infinity)
const tpot = (seq: SimulatedSequence): number => (seq.done > 1 ? (seq.last - seq.first) / (seq.done - 1) : 0)
const served = (seq: SimulatedSequence): boolean => ttft(seq) <= seq.targets.ttftMs && tpot(seq) <= seq.targets.tpotMs

export function summarize(of: Pick<Summary, 'policy' | 'scale' | 'idealHits' | 'targets'>, replay: Replay): Summary {
  const { sequences, elapsed } = replay
  const seconds = elapsed / 1000
  const good = sequences.filter(served).length
  const sum = (value: (seq: SimulatedSequence) => number) => sequences.reduce((total, seq) => total + value(seq), 0)
  return {
    ...of,
    classes: Object.fromEntries(
      PRIORITIES.map((name, rank) => [
        name,
        ofClass(
          sequences.filter((seq) => seq.rank === rank),
          seconds,
        ),
      ]),
    ) as Record<Priority, ClassSummary>,
    attained: good / sequences.length,
    goodput: good / seconds,
    tokensPerSecond: sum((seq) => seq.done) / seconds,
    idle: 1 - replay.busy / Math.max(replay.busy, replay.wanted),
    pagesUsed: replay.pagesUsed,
    pagesLive: replay.pagesLive,
    pagesPeak: replay.pagesPeak,
    saturatedUsed: replay.saturatedUsed,
    saturatedHeld: replay.saturatedHeld,
    saturatedKept: replay.saturatedKept,
    preemptions: replay.preemptions,
    preempted: sequences.filter((seq) => seq.preemptions > 0).length / sequences.length,
    swappedOut: replay.swapped.out,
    swappedIn: replay.swapped.in,
    recomputed: replay.computed / sum((seq) => seq.promptLength - seq.cached + Math.max(0, seq.done - 1)),
    refused: replay.refused,
    hits: replay.hitTokens / sum((seq) => seq.promptLength),
    steps: replay.steps,
    speedUp: elapsed / replay.wallMs,
  }
}

function ofClass(sequences: SimulatedSequence[], seconds: number): ClassSummary {
  const percentiles = (value: (seq: SimulatedSequence) => number) => {
    const sorted = sequences.map(value).sort((a, b) => a - b)
    const at = (q: number) => sorted[Math.floor(q * (sorted.length - 1))] ?? 0
    return { p50: at(0.5), p99: at(0.99) }
  }
  return {
    requests: sequences.length,
    attained: sequences.filter(served).length / Math.max(1, sequences.length),
    ttftMs: percentiles(ttft),
    tpotMs: percentiles(tpot),
    tokensPerSecond: sequences.reduce((sum, { done }) => sum + done, 0) / seconds,
  }
}

// What the command line says on stderr about an answer.
import type { Answer } from '../engine/answer.ts'
import { native } from '../native.ts'

/** prompt 24 tokens, prefill 310.2 t/s, decode 88.1 t/s, first token 77 ms, peak memory 190 MB */
export function figures({ usage, timings }: Answer): string {
  const rate = (tokens: number, ms: number) => (ms > 0 && tokens > 0 ? ((tokens / ms) * 1000).toFixed(1) : '–')
  return [
    `prompt ${usage.promptTokens} tokens`,
    `prefill ${rate(usage.promptTokens, timings.prefillMs)} t/s`,
    `decode ${rate(usage.completionTokens - 1, timings.decodeMs)} t/s`,
    `first token ${timings.ttftMs.toFixed(0)} ms`,
    `peak memory ${(native().peakMemory() / 2 ** 20).toFixed(0)} MB`,
  ].join(', ')
}

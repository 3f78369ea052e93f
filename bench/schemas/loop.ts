// How the event loop turns while schemas compile one after another, with nothing else to do.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ROOT } from '../harness'

const load = createRequire(join(ROOT, 'package.json'))

/** Milliseconds that the loop was late, and that a schema took. */
export async function loopWhileCompiling(schemas: readonly object[]): Promise<Record<string, number>> {
  const compile: (format: object) => Promise<Int32Array> = load('./dist/grammar/formats.js').compileFormat
  await compile({ type: 'json_object' })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const took: number[] = []
  delay.enable()
  for (const schema of schemas) {
    const begin = performance.now()
    await compile({ type: 'json_schema', schema }).catch(() => {})
    took.push(performance.now() - begin)
  }
  delay.disable()
  took.sort((a, b) => a - b)
  const late = (ns: number) => Math.max(0, ns / 1e6 - 1) // the monitor's timer is of one millisecond
  return {
    compile_ms_median: took[took.length >> 1]!,
    compile_ms_max: took.at(-1)!,
    loop_late_ms_p99: late(delay.percentile(99)),
    loop_late_ms_p999: late(delay.percentile(99.9)),
    loop_late_ms_max: late(delay.max),
  }
}

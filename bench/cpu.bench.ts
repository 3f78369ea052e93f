import { type Chunk, Device } from './cpu/steps.ts'
import { main, printTable, quantile } from './harness.ts'

main(async () => {
  const device = await Device.open('smollm2:135m', 2, 200, 640)
  const ids = await device.tokenize('The quick brown fox jumps over the lazy dog. '.repeat(100))
  const want = process.argv.slice(2)
  const report = async (name: string, tokens: number, count: number, run: (i: number) => Promise<unknown>) => {
    if (want.length && !want.includes(name)) return
    await run(0)
    await run(0)
    const { ops, times } = await device.measure(count, run)
    const total = quantile(times, 0.5)
    console.log(`${name}: median ${total.toFixed(3)} ms, best ${times[0]!.toFixed(3)} ms, ${((tokens / total) * 1e3).toFixed(0)} tokens/s`)
    const all = ops.reduce((s, o) => s + o.busy + o.waited, 0)
    printTable(
      ['op', 'times', 'busy ms', 'wait ms', '%', 'GMAC/s'],
      ops.map((o) => [o.name, `${o.count}`, o.busy.toFixed(3), o.waited.toFixed(3), ((100 * (o.busy + o.waited)) / all).toFixed(1), o.macs ? ((o.macs * o.count * (o.macs > 2e7 ? Math.min(tokens, name.startsWith('prefill') ? 1 : tokens) : tokens)) / (o.busy + o.waited) / 1e6).toFixed(0) : '']),
    )
  }
  const decode = (n: number, at: number) => Array.from({ length: n }, (_, slot): Chunk => ({ slot, start: at, ids: [ids[at + slot]!] }))
  for (let slot = 0; slot < 200; slot++) await device.step([{ slot, start: 0, ids: ids.slice(slot, slot + 128) }])
  await report('prefill', 512, 10, () => device.step([{ slot: 0, start: 0, ids: ids.slice(0, 512) }]))
  await report('decode1', 1, 100, (i) => device.step(decode(1, 576 + (i % 60))))
  await report('decode4', 4, 60, (i) => device.step(decode(4, 96 + (i % 32))))
  await report('decode8', 8, 60, (i) => device.step(decode(8, 96 + (i % 32))))
  await report('decode32', 32, 60, (i) => device.step(decode(32, 96 + (i % 32))))
  await report('decode200', 200, 20, (i) => device.step(decode(200, 96 + (i % 32))))
  await device.dispose()
})

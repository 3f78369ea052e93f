// Traces replayed: the figures are those of the requests, and the same ones every time.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Qos } from '../../lib/scheduler/policies/qos.ts'
import { Vllm } from '../../lib/scheduler/policies/vllm.ts'
import { PROFILES } from '../../lib/simulate/device.ts'
import { picture } from '../../lib/simulate/picture.ts'
import { replay } from '../../lib/simulate/replay.ts'
import { summarize } from '../../lib/simulate/summary.ts'
import { idealHits, readTrace } from '../../lib/simulate/trace.ts'
import { temporaryFolder } from '../support/temporary.ts'

const data = join(__dirname, '..', '..', 'bench', 'data')
const folder = temporaryFolder()
const profile = PROFILES['h100-8b']!
const options = { profile, scale: 1, mix: [0.4, 0.4, 0.2] as const, seed: 1 }

describe('readTrace', () => {
  it('reads both formats', async () => {
    const azure = await readTrace(join(data, 'azure-llm-2023-conv-600.csv'))
    expect(azure).toHaveLength(600)
    expect(azure[0]).toEqual({ at: 0, prompt: 374, output: 44 })
    expect(azure[1]!.at).toBe(4315)
    const mooncake = await readTrace(join(data, 'mooncake-conversation-200.jsonl'))
    expect(mooncake[0]).toMatchObject({ at: 0, prompt: 6758, output: 500 })
    expect(mooncake[0]!.blocks).toHaveLength(14)
  })

  it('names the line that is no request', async () => {
    const bad = join(folder, 'bad.csv')
    writeFileSync(bad, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,0\n')
    await expect(readTrace(bad)).rejects.toThrow(/request 1: expected a time and two lengths.*,374,0$/)
    const worse = join(folder, 'bad.jsonl')
    writeFileSync(worse, '{"timestamp": 0')
    await expect(readTrace(worse)).rejects.toMatchObject({ code: 'KV_FORMAT' })
    await expect(readTrace('no-such.csv')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  })
})

describe('replay', () => {
  it('serves every request whole, and the same way every time', async () => {
    const trace = await readTrace(join(data, 'azure-llm-2023-conv-600.csv'))
    const [one, two] = [0, 1].map(() => replay(trace, { ...options, policy: new Qos() }))
    for (const seq of one!.sequences) {
      expect(seq.done).toBe(seq.request.output)
      expect(seq.first).toBeGreaterThan(seq.request.at)
    }
    // A step that was under way when an answer ended runs for nobody.
    expect(one!.busy).toBeLessThan(1.01 * one!.wanted)
    expect(two!.sequences.map(({ last }) => last)).toEqual(one!.sequences.map(({ last }) => last))
  })

  it('finds the prefixes that there are', async () => {
    const trace = await readTrace(join(data, 'mooncake-conversation-200.jsonl'))
    const done = replay(trace, { ...options, scale: 0.1, profile: { ...profile, pages: 100_000 }, policy: new Qos() })
    const { hits, idealHits: ideal } = summarize(
      { policy: 'qos', scale: 0.1, idealHits: idealHits(trace), targets: profile.targets },
      done,
    )
    expect(ideal).toBeGreaterThan(0.05)
    expect(hits / ideal).toBeGreaterThan(0.95)
  })

  it('shows what swap saves where memory is short', async () => {
    const trace = await readTrace(join(data, 'azure-llm-2023-conv-600.csv'))
    const short = { ...profile, pages: 1200 }
    const [without, swapped] = [undefined, 5000].map((swapPages) => {
      const done = replay(trace, { ...options, scale: 4, profile: short, policy: new Qos(), swapPages })
      for (const seq of done.sequences) expect(seq.done).toBe(seq.request.output)
      return summarize({ policy: 'qos', scale: 4, idealHits: 0, targets: profile.targets }, done)
    })
    expect(without).toMatchObject({ swappedOut: 0, swappedIn: 0 })
    expect(without!.preemptions).toBeGreaterThan(10)
    expect(without!.recomputed).toBeGreaterThan(1.02)
    expect(swapped!.swappedIn).toBeGreaterThan(100)
    expect(swapped!.recomputed).toBeLessThan(1.01)
    expect(swapped!.tokensPerSecond).toBeGreaterThan(without!.tokensPerSecond)
  })

  it('shows where qos keeps its promises and the rule of vllm does not', async () => {
    const trace = await readTrace(join(data, 'azure-llm-2023-conv-600.csv'))
    const summaries = [new Qos<never>(), new Vllm<never>()].map((policy) =>
      summarize(
        { policy: policy.name, scale: 6, idealHits: 0, targets: profile.targets },
        replay(trace, { ...options, scale: 6, policy }),
      ),
    )
    const [qos, vllm] = summaries.map(({ classes }) => classes.interactive.attained) as [number, number]
    expect(qos).toBeGreaterThan(vllm + 0.2)
    const svg = picture('a < b', 'a device', summaries)
    expect(svg).toMatch(/^<svg .*<text[^>]*>a &lt; b<.*<\/svg>\n$/s)
    expect(svg).toContain(`${(100 * qos).toFixed(1)} %`)
  })
})

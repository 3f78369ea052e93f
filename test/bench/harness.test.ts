// What the benches print must be right before anyone believes it: quantiles, turns, failures, pictures.
import { describe, expect, it, vi } from 'vitest'
import { check, type Figures, interleave, machine, printResult, quantile, show, spread } from '../../bench/harness.ts'
import { barChart } from '../../bench/pictures.ts'

describe('figures', () => {
  it('interpolates quantiles between ranks', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5)
    expect(quantile([7], 0.9)).toBe(7)
    expect(spread([5, 1, 3, 2, 4])).toEqual({ median: 3, p10: 1.4, p90: 4.6 })
    expect(show(spread([100, 200, 300]))).toBe('200 (120–280)')
    expect(() => spread([])).toThrow('no sample')
  })

  it('runs contenders in turns, every other round backwards, and forgets the warm-up', async () => {
    const order: string[] = []
    const contender = (name: string) => ({
      name,
      run: async (round: number): Promise<Figures> => {
        order.push(name + round)
        return { speed: round }
      },
    })
    const remarks = vi.spyOn(console, 'error').mockImplementation(() => {})
    const samples = await interleave([contender('a'), contender('b')], 2).finally(() => remarks.mockRestore())
    expect(order).toEqual(['b0', 'a0', 'a1', 'b1', 'b2', 'a2'])
    expect(samples.get('a')!.get('speed')).toEqual([1, 2])
    expect(samples.get('b')!.get('speed')).toEqual([1, 2])
  })

  it('ends with one line of JSON, and refuses what is no number', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    try {
      printResult('test', { speed: 2 }, 'avx2')
      expect(log).toHaveBeenCalledTimes(1)
      const line = JSON.parse(log.mock.calls[0]![0] as string) as Record<string, unknown>
      expect(line).toMatchObject({
        bench: 'test',
        figures: { speed: 2 },
        machine: { ...machine('avx2'), load: expect.any(Number) },
      })
      expect(Object.keys(line)).toEqual(['bench', 'commit', 'machine', 'figures'])
      expect(() => printResult('test', { speed: Number.NaN }, 'avx2')).toThrow('speed')
    } finally {
      log.mockRestore()
    }
  })

  it('measures nothing when the answer is wrong', () => {
    expect(() => check(false, 'two and two are five')).toThrow('two and two are five')
    expect(() => check(true, 'fine')).not.toThrow()
  })
})

describe('pictures', () => {
  it('draws bars in proportion and escapes text', () => {
    const svg = barChart(
      'a < b',
      [
        { label: 'x&y', value: 50, kind: 'ours' },
        { label: 'z', value: 100, kind: 'limit' },
      ],
      'caption',
    )
    const widths = [...svg.matchAll(/<rect x="190" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width))
    expect(widths).toHaveLength(2)
    expect(widths[0]! / widths[1]!).toBeCloseTo(0.5, 2)
    expect(svg).toContain('a &lt; b')
    expect(svg).toContain('x&amp;y')
    expect(() => barChart('empty', [], '')).toThrow('nothing')
  })
})

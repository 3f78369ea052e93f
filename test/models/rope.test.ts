// Oracle: transformers (fixtures/rope.py).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ropeParameters } from '../../lib/models/rope.ts'
import type { ModelConfig } from '../../lib/weights/config.ts'
import { tiny } from './tiny.ts'

interface Case {
  name: string
  config: Partial<ModelConfig>
  inv_freq: number[]
  scale: number
}

const cases: Case[] = JSON.parse(readFileSync(join(__dirname, 'fixtures/rope.json'), 'utf8'))

describe('ropeParameters', () => {
  it.each(cases)('$name is what transformers computes', ({ config, inv_freq, scale }) => {
    const found = ropeParameters(tiny(config))
    expect(found.invFreq).toHaveLength(inv_freq.length)
    for (const [i, expected] of inv_freq.entries())
      expect(Math.abs(found.invFreq[i]! / expected - 1)).toBeLessThan(2e-6) // transformers computes in f32
    expect(found.scale).toBeCloseTo(scale, 12)
  })

  it('divides by the factors of a GGUF file in place of a scaling', () => {
    const factors = Float32Array.from({ length: 16 }, (_, i) => 1 + i)
    const plain = ropeParameters(tiny()).invFreq
    const { invFreq, scale } = ropeParameters(tiny(), factors)
    expect(scale).toBe(1)
    for (const [i, f] of invFreq.entries()) expect(f * (1 + i)).toBeCloseTo(plain[i]!, 6)
  })

  it('names the scalings that it knows', () => {
    const config = tiny({ rope_scaling: { rope_type: 'spiral' } })
    expect(() => ropeParameters(config)).toThrow(
      expect.objectContaining({ code: 'KV_UNSUPPORTED', message: expect.stringMatching(/spiral.*yarn/) }),
    )
  })

  it('refuses a scaling without its factor, and factors of another length', () => {
    const code = expect.objectContaining({ code: 'KV_FORMAT' })
    expect(() => ropeParameters(tiny({ rope_scaling: { rope_type: 'linear' } }))).toThrow(code)
    expect(() => ropeParameters(tiny(), new Float32Array(3))).toThrow(code)
  })
})

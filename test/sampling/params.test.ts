import { describe, expect, it } from 'vitest'
import { nativeSampler, type SamplingOptions, samplingParams } from '../../lib/sampling/params.ts'

const params = (options: SamplingOptions = {}) => samplingParams(options, 100, [2])

describe('samplingParams', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ temperature: -1 }, /^temperature: expected a number from 0 up to 2, found -1$/],
    [{ temperature: Number.NaN }, /^temperature: .*found NaN$/],
    [{ temperature: '1' }, /^temperature: .*found '1'$/],
    [{ topP: 0 }, /^topP: expected a number above 0 up to 1, found 0$/],
    [{ topK: 1.5 }, /^topK: expected an integer from 0/],
    [{ minP: 2 }, /^minP: expected a number from 0 up to 1, found 2$/],
    [{ repetitionPenalty: 0 }, /^repetitionPenalty: expected a number above 0, found 0$/],
    [{ frequencyPenalty: 3 }, /^frequencyPenalty: expected a number from -2 up to 2/],
    [{ presencePenalty: -3 }, /^presencePenalty: /],
    [{ logitBias: { 100: 1 } }, /^logitBias: expected token ids from 0 to 99, found '100'$/],
    [{ logitBias: { 5: 200 } }, /^logitBias\[5\]: expected a number from -100 up to 100, found 200$/],
    [{ logitBias: 5 }, /^logitBias: expected an object or a Map/],
    [{ seed: -1 }, /^seed: expected a non-negative safe integer/],
    [{ seed: 1n << 64n }, /^seed: /],
    [{ stop: '' }, /^stop: expected non-empty strings and token ids below 100, found ''$/],
    [{ stop: ['a', 100] }, /^stop: .*found 100$/],
    [{ maxTokens: 0 }, /^maxTokens: expected an integer from 1, found 0$/],
    [{ ignoreEos: 1 }, /^ignoreEos: expected true or false, found 1$/],
    [{ logprobs: 21 }, /^logprobs: expected an integer from 0 up to 20, found 21$/],
    [{ n: 0 }, /^n: expected an integer from 1/],
    [{ temprature: 1 }, /^temprature: no such option; there are temperature, topP/],
  ])('refuses %o', (options, message) => {
    expect(() => params(options)).toThrow(
      expect.objectContaining({ code: 'KV_ARGUMENT', message: expect.stringMatching(message) }),
    )
  })

  it('refuses options that are no object', () => {
    for (const options of [null, 5, 'x', []])
      expect(() => params(options as never)).toThrow(/^options: expected an object/)
  })

  it('stops at the end-of-text token unless told not to', () => {
    expect([...params().stopTokens]).toEqual([2])
    expect([...params({ ignoreEos: true }).stopTokens]).toEqual([])
    expect([...params({ ignoreEos: true, stop: [2, 7, 'x'] }).stopTokens]).toEqual([2, 7])
    expect(params({ stop: 'x' }).stopStrings).toEqual(['x'])
  })

  it('takes a bias as an object or a Map', () => {
    for (const logitBias of [
      { 3: -5, 4: 1 },
      new Map([
        [3, -5],
        [4, 1],
      ]),
    ]) {
      const { biasIds, biasValues } = params({ logitBias })
      expect([[...biasIds], [...biasValues]]).toEqual([
        [3, 4],
        [-5, 1],
      ])
    }
  })

  it('draws another seed for every call, and the given one for a given one', () => {
    expect(params().seed).not.toBe(params().seed)
    expect(params({ seed: 7 }).seed).toBe(7n)
  })

  it('asks for log-probabilities as true, as a number, or not at all', () => {
    expect([undefined, false, true, 0, 5].map((logprobs) => params({ logprobs }).topLogprobs)).toEqual([
      -1, -1, 0, 0, 5,
    ])
  })
})

describe('nativeSampler', () => {
  it('gives answer i the seed of the call plus i, in two halves', () => {
    const one = params({ seed: 0xffffffff })
    expect(nativeSampler(one, 0, new Int32Array()).seed).toEqual([0xffffffff, 0])
    expect(nativeSampler(one, 1, new Int32Array()).seed).toEqual([0, 1])
    expect(nativeSampler(params({ seed: (1n << 64n) - 1n }), 1, new Int32Array()).seed).toEqual([0, 0])
  })

  it('sends the prompt only where a penalty counts it', () => {
    const prompt = Int32Array.of(1, 2, 3)
    expect(nativeSampler(params(), 0, prompt).prompt).toHaveLength(0)
    expect(nativeSampler(params({ repetitionPenalty: 1.1 }), 0, prompt).prompt).toEqual(prompt)
  })
})

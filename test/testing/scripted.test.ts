import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scripted } from '../../lib/testing/index.ts'
import { piecesOf } from '../support/engine.ts'

describe('a scripted model', () => {
  it('gives its answers in the order of the calls', async () => {
    const llm = scripted(['One two.', ['a', 'b', 'c'], ''])
    const answer = await llm.chat('Hi')
    expect(answer).toMatchObject({ text: 'One two.', finishReason: 'stop', usage: { completionTokens: 3 } })
    expect((await piecesOf(llm.chat('Hi'))).map(({ text }) => text).join('|')).toBe('a|b|c')
    expect((await llm.generate('Hi')).text).toBe('')
    await expect(llm.chat('Hi')).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    await llm.dispose()
  })

  it('answers by the prompt, many requests at once and more than run at once', async () => {
    const llm = scripted((prompt) => `You said ${/user\n(.*)<\|im_end\|>/.exec(prompt)![1]}`, { maxSequences: 3 })
    const said = Array.from({ length: 20 }, (_, i) => `word${i} `.repeat(40 + i).trim())
    const answers = await Promise.all(said.map((text) => llm.chat(text)))
    expect(answers.map(({ text }) => text)).toEqual(said.map((text) => `You said ${text}`))
  })

  it('gives every one of n answers its own script', async () => {
    const llm = scripted(['first', 'second', 'third'])
    const { choices } = await llm.chat('Hi', { n: 3 })
    expect(choices!.map(({ text }) => text)).toEqual(['first', 'second', 'third'])
  })

  it('fails one request and no other', async () => {
    const lost = new Error('the device is gone')
    const llm = scripted([['It ', 'begins', lost], 'well'])
    const [bad, good] = await Promise.allSettled([llm.chat('a'), llm.chat('b')])
    expect(bad).toEqual({ status: 'rejected', reason: lost })
    expect(good).toMatchObject({ value: { text: 'well' } })
  })

  it('obeys stop strings, maxTokens and signals', async () => {
    const llm = scripted(() => 'one two three four five', { delayMs: 5 })
    expect((await llm.chat('a', { stop: 'three' })).text).toBe('one two ')
    expect(await llm.chat('a', { maxTokens: 2 })).toMatchObject({ text: 'one two', finishReason: 'length' })
    const signal = AbortSignal.timeout(12)
    await expect(llm.chat('a', { signal })).rejects.toMatchObject({ code: 'KV_ABORTED' })
    await expect(llm.chat('a', { temperature: 3 })).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    await llm.dispose()
    await expect(llm.chat('a')).rejects.toMatchObject({ code: 'KV_DISPOSED' })
  })

  it('embeds texts that share words nearer to each other, and scores', async () => {
    const llm = scripted([])
    const [a, b, c] = await llm.embed(['the red fox runs', 'a red fox sleeps', 'quarterly tax report'])
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
    expect(dot(a!, a!)).toBeCloseTo(1)
    expect(dot(a!, b!)).toBeGreaterThan(dot(a!, c!) + 0.2)
    expect([...(await llm.score('one two three'))]).toEqual([-1, -1])
    expect(llm.detokenize(await llm.tokenize('same text, both ways'))).toBe('same text, both ways')
  })

  it('loads no addon', () => {
    const root = join(__dirname, '..', '..')
    const script = `const { scripted } = require('kvasir/testing')
      scripted(['done']).chat('Hi').then(({ text }) =>
        console.log(text, Object.keys(require.cache).filter((path) => path.endsWith('.node')).length))`
    expect(execFileSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' })).toBe('done 0\n')
  })
})

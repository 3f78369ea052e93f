// The Llm object over the fake device: what it hands down, and what it refuses.
import { describe, expect, it } from 'vitest'
import { Llm } from '../../lib/engine/llm.ts'
import type { LlmParts } from '../../lib/engine/types.ts'
import { FakeDetokenizer, setup, textOf } from '../support/engine.ts'
import { continuation, DIM, logprob, VOCAB, vector } from '../support/fake-executor.ts'

const greedy = { temperature: 0, seed: [0, 0] as [number, number], frequencyPenalty: 0 }
const idsOf = (text: string) => [...text].map((letter) => letter.charCodeAt(0) % VOCAB)

function model(parts: Partial<LlmParts> = {}) {
  const { engine, executor } = setup()
  const encoded: [string, boolean, boolean][] = []
  let released = 0
  const llm = new Llm({
    engine,
    codec: {
      encode: async (text, special, parse) => {
        encoded.push([text, special, parse])
        return Int32Array.from(idsOf(text))
      },
      controlTokens: () => [],
      decode: (ids) => [...ids].map(textOf).join(''),
      bytes: (id) => Buffer.from(textOf(id)),
      detokenizer: () => new FakeDetokenizer(),
    },
    template: (messages) => messages.map(({ role, content }) => `<${role}>${content}`).join(''),
    grammar: async () => undefined,
    stopTokens: [],
    programs: { generate: 0, embed: async (pooling) => (pooling === 'mean' ? 1 : 2) },
    info: { name: 'fake', vocabSize: VOCAB } as LlmParts['info'],
    release: () => released++,
    ...parts,
  })
  return { llm, executor, encoded, released: () => released }
}

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController()
  setImmediate(() => controller.abort(reason))
  return controller.signal
}

const argument = (message: RegExp) =>
  expect.objectContaining({ code: 'KV_ARGUMENT', message: expect.stringMatching(message) })

describe('chat', () => {
  it('fills in the template; the text is read with its control tokens, and no BOS is added', async () => {
    const { llm, encoded } = model()
    const answer = await llm.chat('hi', { temperature: 0, maxTokens: 5 })
    expect(encoded).toEqual([['<user>hi', false, true]])
    expect(answer.tokens).toEqual(continuation(idsOf('<user>hi'), greedy, 5))
    await llm.chat(
      [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hi' },
      ],
      { maxTokens: 1 },
    )
    expect(encoded[1]![0]).toBe('<system>be brief<user>hi')
  })

  it.each<[unknown, RegExp]>([
    [[], /^messages: expected a string or a list of/],
    [5, /^messages: /],
    [[{ role: 'boss', content: '' }], /^messages\[0\]\.role: expected 'system' or 'user'.*found 'boss'/],
    [[{ content: 'x' }], /^messages\[0\]\.role: /],
    [[{ role: 'user' }], /^messages\[0\]\.content: expected a string or a list of .*, found undefined/],
  ])('refuses %j', async (messages, message) => {
    await expect(model().llm.chat(messages as string)).rejects.toEqual(argument(message))
  })

  it('shows the template the tools', async () => {
    const seen: unknown[] = []
    const { llm } = model({
      template: (messages, options) => {
        seen.push(options?.tools)
        return String(messages[0]!.content)
      },
    })
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }]
    await llm.chat('abc', { tools, maxTokens: 1 })
    expect(seen).toEqual([tools])
    await expect(llm.chat('abc', { tools: ['weather'] as never })).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
  })

  it('hands on variables of the template, and tells the text that came of it', async () => {
    const { llm } = model({ template: (_, options) => JSON.stringify(options?.variables) })
    const prompts: string[] = []
    const templateVariables = { enable_thinking: false }
    await llm.chat('a', { maxTokens: 1, templateVariables, onPrompt: (text) => prompts.push(text) })
    expect(prompts).toEqual(['{"enable_thinking":false}'])
    expect(llm.chatPrompt('a', { templateVariables })).toBe(prompts[0])
  })

  it('without a template says what to do', async () => {
    const { llm } = model({ template: null })
    await expect(llm.chat('hi')).rejects.toMatchObject({
      code: 'KV_UNSUPPORTED',
      message: expect.stringMatching(/use generate/),
    })
  })

  it('refuses a conversation that the template makes nothing of, and troubles nobody else with it', async () => {
    const { llm } = model({ template: () => '' })
    const other = llm.generate([1, 2], { temperature: 0, maxTokens: 5 })
    await expect(llm.chat('hi')).rejects.toMatchObject({ code: 'KV_TEMPLATE' })
    expect((await other).tokens).toEqual(continuation([1, 2], greedy, 5))
  })

  it('hands on what the template says', async () => {
    const { llm } = model({
      template: () => {
        throw new Error('roles must alternate')
      },
    })
    await expect(llm.chat('hi')).rejects.toThrow('roles must alternate')
  })
})

describe('generate', () => {
  it('takes a text, or ids as they are, in any kind of array', async () => {
    const { llm, encoded } = model()
    const options = { temperature: 0, maxTokens: 4 }
    const { tokens } = await llm.generate('abc', options)
    expect(encoded).toEqual([['abc', true, true]])
    expect((await llm.generate(idsOf('abc'), options)).tokens).toEqual(tokens)
    expect((await llm.generate(Int32Array.from(idsOf('abc')), options)).tokens).toEqual(tokens)
    expect(encoded).toHaveLength(1)
  })

  it.each<[unknown, RegExp]>([
    ['', /^prompt: expected at least one token/],
    [[], /^prompt: expected at least one token/],
    [[1, VOCAB], /^prompt\[1\]: expected a token id from 0 to 80, found 81/],
    [[1.5], /^prompt\[0\]: .*found 1\.5/],
    [undefined, /^prompt: expected a string or an array of token ids, found undefined/],
  ])('refuses %j', async (prompt, message) => {
    await expect(model().llm.generate(prompt as string)).rejects.toEqual(argument(message))
  })

  it('refuses options that do not exist, and a signal that is none', async () => {
    const { llm } = model()
    await expect(llm.generate('a', { temp: 1 } as object)).rejects.toEqual(argument(/^temp: no such option/))
    await expect(llm.generate('a', { signal: 5 } as never)).rejects.toEqual(
      argument(/^signal: expected an AbortSignal/),
    )
    await expect(llm.generate('a', null as never)).rejects.toEqual(argument(/^options: expected an object/))
  })
})

describe('embed', () => {
  const mean = (ids: number[]) => {
    const rows = ids.map(vector)
    return Array.from({ length: DIM }, (_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / ids.length)
  }

  it('gives a vector a text, of length 1 unless told otherwise', async () => {
    const { llm, encoded } = model()
    const [a, b] = await llm.embed(['one', 'three'])
    expect(encoded.map(([text]) => text)).toEqual(['one', 'three'])
    for (const v of [a!, b!]) expect(Math.hypot(...v)).toBeCloseTo(1, 6)
    const [plain] = await llm.embed('one', { normalize: false })
    mean(idsOf('one')).forEach((x, j) => {
      expect(plain![j]).toBeCloseTo(x, 5)
    })
    const [last] = await llm.embed(['one'], { pooling: 'last', normalize: false })
    expect([...last!]).toEqual(vector(idsOf('one')[2]!, 2))
    expect(await llm.embed([])).toEqual([])
  })

  it('stops computing the others when one cannot be', async () => {
    const { llm, executor } = model()
    const texts = ['x'.repeat(300), 'x'.repeat(300), 'x'.repeat(600)]
    await expect(llm.embed(texts)).rejects.toMatchObject({ code: 'KV_TOO_LONG' })
    await llm.generate('a', { maxTokens: 3 })
    // Two steps were in flight when it failed; all of it would have taken ten.
    expect(executor.steps.filter(({ program }) => program > 0).length).toBeLessThanOrEqual(2)
  })

  it('ends with its signal', async () => {
    const { llm } = model()
    const reason = new Error('enough')
    for (const signal of [AbortSignal.abort(reason), abortSoon(reason)])
      await expect(llm.embed(['x'.repeat(400)], { signal })).rejects.toMatchObject({
        code: 'KV_ABORTED',
        cause: reason,
      })
  })

  it('refuses what it does not know', async () => {
    const { llm } = model()
    await expect(llm.embed(['a'], { pooling: 'max' as never })).rejects.toEqual(
      argument(/^pooling: expected 'mean' or 'last', found 'max'/),
    )
    await expect(llm.embed(['a', ''])).rejects.toEqual(argument(/^texts\[1\]: expected at least one token/))
    await expect(llm.embed(7 as never)).rejects.toEqual(argument(/^texts: expected a string or a list/))
  })
})

it('score gives the log-probability of every token after the first', async () => {
  const { llm } = model()
  const ids = idsOf('abcdef')
  const expected = ids.slice(1).map((id, i) => logprob(ids.slice(0, i + 1), id))
  expect([...(await llm.score('abcdef'))]).toEqual(expected)
  expect([...(await llm.score(ids))]).toEqual(expected)
  await expect(llm.score('a')).rejects.toEqual(argument(/^text: expected at least two tokens/))
})

it('tokenize and detokenize are plain', async () => {
  const { llm, encoded } = model()
  expect(await llm.tokenize('abc')).toEqual(idsOf('abc'))
  await llm.tokenize('abc', { special: false })
  expect(encoded.map(([, special]) => special)).toEqual([true, false])
  expect(llm.detokenize([1, 2, 3])).toBe('bcba')
  await expect(llm.tokenize(5 as never)).rejects.toEqual(argument(/^text: expected a string or a list .*, found 5/))
  expect(() => llm.detokenize([-1])).toThrow(argument(/^ids\[0\]/))
})

describe('dispose', () => {
  it('gives everything back once, and ends every call after it', async () => {
    const { llm, released, executor } = model()
    await Promise.all([llm.dispose(), llm.dispose(), llm[Symbol.asyncDispose]()])
    expect([released(), executor.disposed]).toEqual([1, true])
    const disposed = expect.objectContaining({ code: 'KV_DISPOSED' })
    await expect(llm.chat('a')).rejects.toEqual(disposed)
    await expect(llm.generate([1])).rejects.toEqual(disposed)
    await expect(llm.embed(['a'])).rejects.toEqual(disposed)
    await expect(llm.score('ab')).rejects.toEqual(disposed)
    await expect(llm.tokenize('a')).rejects.toEqual(disposed)
    expect(() => llm.detokenize([1])).toThrow(disposed)
  })

  it('comes with await using', async () => {
    const { llm, released } = model()
    {
      await using used = llm
      await used.generate('a', { maxTokens: 1 })
    }
    expect(released()).toBe(1)
  })
})

describe('service', () => {
  it.each<[object, RegExp]>([
    [{ priority: 'urgent' }, /^priority: expected 'interactive' or 'standard' or 'batch', found 'urgent'/],
    [{ deadlineMs: -1 }, /^deadlineMs: expected a number above 0, found -1/],
    [{ ttftMs: 'soon' }, /^ttftMs: expected a number above 0, found 'soon'/],
    [{ tenant: 5 }, /^tenant: expected a string, found 5/],
  ])('refuses %j, for every call', async (options, message) => {
    const { llm } = model()
    await expect(llm.generate('a', options)).rejects.toEqual(argument(message))
    await expect(llm.embed('a', options)).rejects.toEqual(argument(message))
    await expect(llm.score('ab', options)).rejects.toEqual(argument(message))
  })

  it('shares prefixes within a tenant, and says how much was found', async () => {
    const { llm } = model()
    const prompt = idsOf('x'.repeat(70))
    const cached = async (options: object) =>
      (await llm.generate(prompt, { maxTokens: 2, temperature: 0, ...options })).usage.cachedTokens
    expect(await cached({})).toBe(0)
    expect(await cached({})).toBe(69)
    expect(await cached({ tenant: 'other' })).toBe(0)
    expect(await cached({ tenant: 'other', priority: 'batch' })).toBe(69)
    expect(llm.stats().prefixCache).toMatchObject({ lookups: 4, hits: 2, hitTokens: 138, newTokens: 142 })
  })

  it('computes what a score and a mean are made of, and finds the rest for the last token', async () => {
    const { llm, executor } = model()
    const prompt = idsOf('x'.repeat(70))
    await llm.generate(prompt, { maxTokens: 2 })
    const tokens = async (run: () => Promise<unknown>) => {
      const before = executor.steps.length
      await run()
      return executor.steps.slice(before).reduce((sum, step) => sum + step.tokens, 0)
    }
    expect(await tokens(() => llm.score(prompt))).toBe(69)
    expect(await tokens(() => llm.embed([prompt]))).toBe(70)
    expect(await tokens(() => llm.embed([prompt], { pooling: 'last' }))).toBe(1)
  })

  it('gives up on a request whose deadline passes while it waits', async () => {
    const { llm, executor } = model()
    executor.automatic = false
    const busy = Array.from({ length: 8 }, () => llm.generate('abc', { maxTokens: 4, temperature: 0 }))
    await new Promise((resolve) => setImmediate(resolve))
    const message = expect.stringMatching(/^the request waited for \d+ ms, but had a deadline after 1;/)
    const late = expect(llm.generate('abc', { deadlineMs: 1 })).rejects.toMatchObject({ code: 'KV_DEADLINE', message })
    await new Promise((resolve) => setTimeout(resolve, 5))
    executor.automatic = true
    executor.tick() // what is queued; the next step comes by itself
    executor.tick()
    await late
    await Promise.all(busy)
  })
})

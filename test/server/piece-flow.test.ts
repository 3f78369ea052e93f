// Pieces to a sink: all of them, in order, no more while there is no room, and the failures of either side.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Answer, Piece } from '../../lib/engine/answer.ts'
import type { Listener } from '../../lib/engine/generate-request.ts'
import { Generation } from '../../lib/engine/generation.ts'
import { Pace } from '../../lib/server/pace.ts'
import { PieceFlow } from '../../lib/server/piece-flow.ts'
import { textTemplate } from '../../lib/server/sse.ts'

/** A generation that says what the test tells it to say. */
async function scripted() {
  const cancelled: unknown[] = []
  let listener!: Listener
  const generation = new Generation({ submit() {}, cancel: (_, error) => cancelled.push(error) }, async (made) => {
    listener = made
    return {}
  })
  await sleep(0)
  return {
    ...{ generation, cancelled },
    say: (text: string) => listener.piece({ text, tokens: [1] }),
    end: () => listener.resolve({ text: '' } as Answer),
    fail: (message: string) => listener.reject(new Error(message)),
  }
}

async function flowOf(count: number) {
  const scripts = await Promise.all(Array.from({ length: count }, scripted))
  const flow = new PieceFlow(
    new Pace(4),
    scripts.map(({ generation }) => generation),
  )
  return { flow, scripts }
}

it('tells every piece of every generation, and ends with the last of them', async () => {
  const { flow, scripts } = await flowOf(2)
  const [a, b] = scripts
  const told: string[] = []
  setTimeout(() => b!.say('b0'), 5)
  await flow.begun()
  const ended = flow.each(({ text }, from) => void told.push(`${from}:${text}`))
  await sleep(5)
  a!.say('a0')
  b!.say('b1')
  await sleep(5)
  a!.end()
  b!.say('b2')
  await sleep(5)
  expect(told).toEqual(['1:b0', '0:a0', '1:b1', '1:b2'])
  b!.end()
  await ended
})

it('waits where there is no room; what comes meanwhile is one piece', async () => {
  const { flow, scripts } = await flowOf(1)
  const [a] = scripts
  const told: Piece[] = []
  let room!: () => void
  a!.say('one')
  await flow.begun()
  const ended = flow.each((piece) => {
    told.push(piece)
    return told.length === 1 ? new Promise<void>((resolve) => (room = resolve)) : undefined
  })
  await sleep(5)
  for (const text of [' two', ' three', ' four']) a!.say(text)
  await sleep(5)
  expect(told.map(({ text }) => text)).toEqual(['one'])
  room()
  await sleep(5)
  expect(told.map(({ text }) => text)).toEqual(['one', ' two three four'])
  expect(told[1]!.tokens).toHaveLength(3)
  a!.end()
  await ended
})

it('rejects before there is anything to tell, and in the middle', async () => {
  const early = await flowOf(2)
  early.scripts[1]!.fail('too long')
  await expect(early.flow.begun()).rejects.toThrow('too long')

  const late = await flowOf(2)
  late.scripts[0]!.say('one')
  await late.flow.begun()
  const ended = late.flow.each(() => undefined)
  late.scripts[1]!.fail('a fault')
  await expect(ended).rejects.toThrow('a fault')
})

it('a sink that fails is asked no more', async () => {
  const { flow, scripts } = await flowOf(1)
  let asked = 0
  scripts[0]!.say('one')
  await flow.begun()
  const ended = flow.each(() => {
    asked++
    throw new Error('no such choice')
  })
  await expect(ended).rejects.toThrow('no such choice')
  scripts[0]!.say('two')
  await sleep(5)
  expect(asked).toBe(1)
})

it('a template gives the JSON of every text', () => {
  const event = (content: string) => ({
    model: 'a "model"',
    choices: [{ delta: { content }, logprobs: null }],
    usage: null,
  })
  const template = textTemplate(event)
  for (const text of ['', 'plain', '"\\\n\u2028', 'é\ud83d\ude00', '\ud83d'])
    expect(template(text)).toBe(JSON.stringify(event(text)))
  expect(textTemplate((text) => [text, text])('twice')).toBe('["twice","twice"]')
})

// The terminal of kvasir chat on a pair of streams, over a model that says what it is asked to.
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Conversation } from '../../lib/cli/conversation.ts'
import { talk } from '../../lib/cli/terminal.ts'
import { KvasirError } from '../../lib/errors.ts'
import type { ChatMessage, Llm } from '../../lib/index.ts'

vi.mock('../../lib/cli/report.ts', () => ({ figures: () => 'figures' }))

const CTRL_C = '\x03'
let notes = ''
beforeEach(() => {
  notes = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    notes += text
    return true
  })
})
afterEach(() => vi.restoreAllMocks())

/** A model that answers "re: QUESTION"; "long" goes on until it is aborted, "bad" fails, `room` messages fit. */
function parrot(room = 100) {
  const asked: ChatMessage[][] = []
  const chat = (messages: readonly ChatMessage[]) => {
    asked.push([...messages])
    const question = messages.at(-1)!.content
    let aborted = false
    return {
      abort: () => {
        aborted = true
      },
      async *[Symbol.asyncIterator]() {
        if (messages.length > room) throw new KvasirError('KV_TOO_LONG', 'too long')
        if (question === 'bad') throw new KvasirError('KV_TEMPLATE', 'bad template')
        yield { text: `re: ${question}`, tokens: [] }
        while (question === 'long' && !aborted) await turn()
      },
      // biome-ignore lint/suspicious/noThenProperty: as a Generation
      then: (resolved: (answer: object) => void) => resolved({ text: `re: ${question}` }),
    }
  }
  return { llm: { chat } as unknown as Llm, asked }
}

function terminal(room?: number) {
  const { llm, asked } = parrot(room)
  const input = new PassThrough()
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true })
  let shown = ''
  output.on('data', (text: string) => {
    shown += text
  })
  const over = talk(new Conversation(llm, {}, 'be kind', output), 'parrot', input, output)
  /** Types and waits until something is shown. */
  const type = async (keys: string, until: string) => {
    input.write(keys)
    await vi.waitFor(() => expect(shown + notes).toContain(until))
  }
  return { asked, type, input, over, shown: () => shown }
}

describe('kvasir chat in a terminal', () => {
  it('keeps the turns, and forgets them on /reset', async () => {
    const { asked, type, over, shown } = terminal()
    await type('one\r', 're: one')
    await type('two\r', 're: two')
    await type('/reset\rthree\r', 're: three')
    await type('/exit\r', 're: three')
    await over
    const said = asked.map((messages) => messages.map(({ content }) => content).join(' | '))
    expect(said).toEqual(['be kind | one', 'be kind | one | re: one | two', 'be kind | three'])
    expect(shown()).toContain('/help')
    expect(notes.match(/figures/g)).toHaveLength(3)
  })

  it('stops the answer at Ctrl-C, and goes on', async () => {
    const { asked, type, over } = terminal()
    await type('long\r', 're: long')
    await type(CTRL_C, 'figures')
    await type('next\r', 're: next')
    await type('/exit\r', 're: next')
    await over
    expect(asked[1]!.map(({ content }) => content)).toEqual(['be kind', 'long', 're: long', 'next'])
  })

  it('leaves at Ctrl-C when nothing is being answered, and at the end of input', async () => {
    const first = terminal()
    await first.type(CTRL_C, '/help')
    await first.over
    const second = terminal()
    second.input.end()
    await second.over
  })

  it('leaves at the second Ctrl-C of an answer', async () => {
    const { type, over } = terminal()
    await type('long\r', 're: long')
    await type(CTRL_C + CTRL_C, 're: long')
    await over
  })

  it('forgets the oldest turns when the context is full', async () => {
    const { asked, type, over } = terminal(4)
    for (const question of ['one', 'two', 'three']) await type(`${question}\r`, `re: ${question}`)
    await type('/exit\r', '')
    await over
    expect(asked.at(-1)!.map(({ content }) => content)).toEqual(['be kind', 'two', 're: two', 'three'])
  })

  it('says what went wrong, drops the question, and goes on', async () => {
    const { asked, type, over } = terminal()
    await type('bad\r', 'bad template')
    await type('good\r', 're: good')
    await type('/exit\r', '')
    await over
    expect(asked[1]!.map(({ content }) => content)).toEqual(['be kind', 'good'])
  })
})

// What a model thinks, says and calls, in the forms of the checkpoints, however the text is cut into pieces.
import { describe, expect, it } from 'vitest'
import { type AnswerPart, AnswerParts, type AnswerPartsOptions, opensThoughts } from '../../lib/chat/answer-parts.ts'
import { chatFormat } from '../../lib/chat/format.ts'
import { random } from '../support/random.ts'

const rng = random(Number(process.env['KVASIR_SEED'] ?? Date.now() % 1e9))

/** The parts of `text` in pieces of 1 to `most` characters, neighbours of one kind joined. */
function partsOf(text: string, options: AnswerPartsOptions, most = 1e9): AnswerPart[] {
  const parser = new AnswerParts(options)
  const parts: AnswerPart[] = []
  const add = (more: AnswerPart[]) => {
    for (const part of more) {
      const last = parts.at(-1)
      if (part.type === 'arguments') {
        if (last?.type !== 'call') throw new Error('arguments without a call')
        last.arguments += part.text
        continue
      }
      if (part.type !== 'call' && part.text === '') throw new Error('an empty part')
      if (last && (last.type === 'text' || last.type === 'reasoning') && part.type === last.type) last.text += part.text
      else parts.push({ ...part })
    }
  }
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + rng.below(Math.min(most, text.length))
    add(parser.push(text.slice(at, end)))
    at = end
  }
  add(parser.end())
  return parts
}

const text = (value: string): AnswerPart => ({ type: 'text', text: value })
const thought = (value: string): AnswerPart => ({ type: 'reasoning', text: value })
const call = (name: string, input: object | string = {}): AnswerPart => ({
  type: 'call',
  name,
  arguments: typeof input === 'string' ? input : JSON.stringify(input),
})

const cases: [string, string, AnswerPartsOptions, AnswerPart[]][] = [
  ['plain text is left alone', '  a <b> \n', { calls: 'hermes' }, [text('  a <b> \n')]],
  ['nothing', '', { calls: null }, []],
  ['space alone', ' \n ', { calls: null }, [text(' \n ')]],
  ['thoughts, then text', '<think>\nhm \n</think>\n\nYes. ', { calls: null }, [thought('hm'), text('Yes. ')]],
  [
    'thoughts that the template opened',
    'hm\n</think>\nYes',
    { calls: null, thinking: true },
    [thought('hm'), text('Yes')],
  ],
  ['thoughts cut off', '<think>hm ', { calls: null }, [thought('hm')]],
  ['no thoughts at all', '<think>\n\n</think>\n\nYes', { calls: null }, [text('Yes')]],
  ['tags in the middle are text', 'use <think> and </think>', { calls: null }, [text('use <think> and </think>')]],
  ['the beginning of a tag is text', '<thin', { calls: null }, [text('<thin')]],
  [
    'a call without tools is text',
    '<tool_call>{"name":"f"}</tool_call>',
    { calls: null },
    [text('<tool_call>{"name":"f"}</tool_call>')],
  ],
  [
    'two calls of hermes',
    'Well.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>{"name":"g"}</tool_call>',
    {
      calls: 'hermes',
    },
    [text('Well.'), call('f', '{"a": 1}'), call('g')],
  ],
  [
    'a call after thoughts',
    '<think>hm</think><tool_call>{"name":"f","arguments":"{}"}</tool_call>',
    {
      calls: 'hermes',
    },
    [thought('hm'), call('f', '{}')],
  ],
  [
    'arguments with braces and tags in their strings',
    '<tool_call>{"name": "f", "arguments": {"a": "}</tool_call>\\"{", "b": {"c": []}}} </tool_call> so',
    { calls: 'hermes' },
    [call('f', '{"a": "}</tool_call>\\"{", "b": {"c": []}}'), text('so')],
  ],
  ['arguments cut off', '<tool_call>{"name": "f", "arguments": {"a": [1', { calls: 'hermes' }, [call('f', '{"a": [1')]],
  [
    'arguments that are no JSON',
    '<tool_call>{"name": "f", "arguments": {"a": </tool_call>so',
    { calls: 'hermes' },
    [call('f', '{"a": '), text('so')],
  ],
  [
    'arguments before the name',
    '<tool_call>{"arguments":{"a":1},"name":"f"}</tool_call>',
    { calls: 'hermes' },
    [call('f', { a: 1 })],
  ],
  ['a call that is not closed', '<tool_call>{"name":"f"}', { calls: 'hermes' }, [call('f')]],
  ['a call that was cut off is shown', '<tool_call>{"name":"f', { calls: 'hermes' }, [text('<tool_call>{"name":"f')]],
  [
    'a call that is no JSON is shown',
    'a <tool_call>f()</tool_call> b',
    { calls: 'hermes' },
    [text('a<tool_call>f()</tool_call>b')],
  ],
  ['llama 3', '{"name": "f", "parameters": {"a": "x;{"}}', { calls: 'llama3' }, [call('f', { a: 'x;{' })]],
  [
    'llama 3, two',
    '<|python_tag|>{"name":"f","parameters":{}}; {"name":"g","parameters":{}}',
    { calls: 'llama3' },
    [call('f'), call('g')],
  ],
  ['llama 3, other JSON is text', '{"answer": 42}', { calls: 'llama3' }, [text('{"answer": 42}')]],
  ['llama 3, text', 'It is {so}', { calls: 'llama3' }, [text('It is {so}')]],
  [
    'mistral, a list',
    '[TOOL_CALLS] [{"name": "f", "arguments": {"a": [1]}}, {"name": "g", "arguments": {}}]',
    {
      calls: 'mistral',
    },
    [call('f', { a: [1] }), call('g')],
  ],
  [
    'mistral, names',
    'So: [TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{"a": 1}[TOOL_CALLS]g{}',
    { calls: 'mistral' },
    [text('So:'), call('f', '{"a": 1}'), call('g', '{}')],
  ],
]

describe('an answer', () => {
  it.each(cases)('%s', (_, source, options, expected) => {
    expect(partsOf(source, options)).toEqual(expected)
    for (let round = 0; round < 50; round++) expect(partsOf(source, options, 1 + rng.below(5))).toEqual(expected)
  })

  it('of any text and any tags loses nothing but space, tags and calls', () => {
    const bits = [
      '<think>',
      '</think>',
      '<tool_call>',
      '</tool_call>',
      '{"name":"f"}',
      'Z',
      ' ',
      '\n',
      '<',
      '[TOOL_CALLS]',
    ]
    for (let round = 0; round < 2000; round++) {
      const source = Array.from({ length: rng.below(12) }, () => bits[rng.below(bits.length)]).join('')
      for (const calls of ['hermes', 'mistral', 'llama3', null] as const) {
        const whole = partsOf(source, { calls })
        expect(partsOf(source, { calls }, 3), source).toEqual(whole)
        const seen = whole.map((part) => ('text' in part ? part.text : '')).join('')
        const letters = (value: string) => value.replace(/[^Z]/g, '')
        if (!whole.some(({ type }) => type === 'call')) expect(letters(seen), source).toBe(letters(source))
      }
    }
  })
})

it('a prompt opens thoughts at its end alone', () => {
  expect(opensThoughts('<|im_start|>assistant\n<think>\n')).toBe(true)
  expect(opensThoughts('<|im_start|>assistant\n<think>\n\n</think>\n\n')).toBe(false)
})

it('formats are told from templates', () => {
  expect(chatFormat("{{ tools }} '<tool_call>'")).toEqual({ calls: 'hermes', tools: true })
  expect(chatFormat('{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]')).toEqual({
    calls: 'mistral',
    tools: true,
  })
  expect(
    chatFormat(`{{ '{"name": "' + tool_call.name + '", ' }}{{ '"parameters": ' }}{{ tools }}<|python_tag|>`),
  ).toEqual({
    calls: 'llama3',
    tools: true,
  })
  expect(chatFormat('{{ messages }}')).toEqual({ calls: 'hermes', tools: false })
})

// Conversations as callers give them, and as templates read them.
import { expect, it } from 'vitest'
import { type ChatMessage, templateMessages } from '../../lib/chat/message.ts'

it('calls, thoughts and parts of text are handed on as templates want them', () => {
  const messages: ChatMessage[] = [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    },
    {
      ...{ role: 'assistant', content: null, reasoning_content: 'hm' },
      tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{"a":1}' } }],
    },
    { role: 'tool', tool_call_id: 'c', name: 'f', content: '7' },
    { role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: 'f(' } }, { function: { name: 'g' } }] },
  ]
  const original = structuredClone(messages)
  expect(templateMessages(messages)).toEqual([
    { role: 'user', content: 'a\nb' },
    {
      ...{ role: 'assistant', content: null, reasoning_content: 'hm' },
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: { a: 1 } } }],
    },
    { role: 'tool', tool_call_id: 'c', name: 'f', content: '7' },
    {
      ...{ role: 'assistant', content: null },
      tool_calls: [
        { type: 'function', function: { name: 'f', arguments: 'f(' } },
        { type: 'function', function: { name: 'g', arguments: {} } },
      ],
    },
  ])
  expect(messages).toEqual(original)
})

it.each<[string, object, RegExp]>([
  ['an image', { role: 'user', content: [{ type: 'image_url' }] }, /^messages\[0\]\.content\[0\] is of type image_url/],
  ['a part', { role: 'user', content: [{ type: 'text' }] }, /^messages\[0\]\.content\[0\]: /],
  ['no content', { role: 'assistant', tool_calls: [] }, /^messages\[0\]\.content: /],
  ['a call', { role: 'assistant', tool_calls: [{}] }, /^messages\[0\]\.tool_calls\[0\]\.function\.name: /],
  ['calls', { role: 'assistant', tool_calls: 5 }, /^messages\[0\]\.tool_calls: expected a list/],
  ['a name', { role: 'user', content: '', name: 5 }, /^messages\[0\]\.name: expected a string, found 5/],
])('%s that is wrong is refused', (_, message, text) => {
  expect(() => templateMessages([message as ChatMessage])).toThrow(
    expect.objectContaining({ message: expect.stringMatching(text) }),
  )
})

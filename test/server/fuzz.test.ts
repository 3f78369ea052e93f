// Requests that are wrong somewhere, at every endpoint: refused with a reason or answered, never our mistake, and nothing
// is left behind.
import { expect, it } from 'vitest'
import { damageJson } from '../support/damage.ts'
import { random } from '../support/random.ts'
import { MODEL, serving } from './client.ts'

const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 1e9)
const sampling = {
  ...{ model: MODEL, max_tokens: 4, temperature: 0.5, top_p: 0.9, n: 2, seed: 3, stop: ['x', 'y'], stream: false },
  ...{
    presence_penalty: 1,
    frequency_penalty: -1,
    logit_bias: { 7: 2 },
    top_k: 3,
    min_p: 0.1,
    repetition_penalty: 1.1,
  },
}
const parameters = { type: 'object', properties: { a: { type: 'string' } } }
const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":"b"}' } }
const sound: Record<string, object> = {
  '/v1/chat/completions': {
    ...{ ...sampling, logprobs: true, top_logprobs: 2, chat_template_kwargs: { enable_thinking: false } },
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: 'Hi', name: 'me' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: '7' },
    ],
    ...{
      tools: [{ type: 'function', function: { name: 'f', parameters } }],
      tool_choice: 'auto',
      parallel_tool_calls: false,
    },
    response_format: { type: 'text' },
  },
  '/v1/responses': {
    ...{ ...sampling, max_output_tokens: 4, instructions: 'Be brief.', top_logprobs: 1, metadata: { a: 'b' } },
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: '7' },
    ],
    ...{
      tools: [{ type: 'function', name: 'f', parameters }],
      tool_choice: 'auto',
      text: { format: { type: 'text' } },
    },
  },
  '/v1/completions': { ...sampling, prompt: ['a b', 'c'], logprobs: 2, echo: false },
  '/v1/embeddings': { model: MODEL, input: ['a b', 'c'], encoding_format: 'base64', dimensions: 32 },
  '/tokenize': { model: MODEL, prompt: 'a b', add_special_tokens: true },
  '/detokenize': { model: MODEL, tokens: [1, 2] },
}

it(`400 damaged requests of each kind (KVASIR_SEED=${seed} plays them again)`, async () => {
  const rng = random(seed)
  const failures: unknown[] = []
  const keep = (fields: object) => void failures.push(fields)
  const { url, llm } = await serving(() => ['ok', ' <tool_call>{"name":"f"}</tool_call>'], {
    logger: { info() {}, warn: keep, error: keep },
  })
  for (const [path, body] of Object.entries(sound)) {
    const statuses = new Map<number, number>()
    const ask = async (text: string) => {
      const answer = await fetch(url + path, { method: 'POST', body: text })
      const said = await answer.text()
      expect([200, 400, 404], `${text}\n${said}`).toContain(answer.status)
      if (answer.status !== 200)
        expect(JSON.parse(said).error, text).toMatchObject({ message: expect.stringMatching(/./) })
      else expect(said, text).not.toContain('"error":{')
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    }
    await ask(JSON.stringify(body))
    for (let i = 0; i < 400; i += 20)
      await Promise.all(Array.from({ length: 20 }, () => ask(JSON.stringify(damageJson(body, rng) ?? null))))
    expect(Math.min(statuses.get(200)!, statuses.get(400)!), `${path}: both are met`).toBeGreaterThan(0)
  }
  expect(failures).toEqual([])
  expect(llm.stats()).toMatchObject({ requests: 0, running: 0, waiting: 0, freePages: llm.stats().pages })
})

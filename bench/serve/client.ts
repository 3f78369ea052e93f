// The official client in a process of its own: asks for all streams at once, and tells what each one got and when.
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'

export interface ClientCall {
  content: string
  seed: number
  tokens: number
  /** Milliseconds to wait before asking. */
  afterMs?: number
}

export interface ClientAnswer {
  text: string
  chunks: number
  firstMs: number
  /** Milliseconds between chunks: the median, and the longest. */
  gapMs: number
  longestMs: number
}

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: 'none', maxRetries: 0 })

async function ask({ content, seed, tokens, afterMs = 0 }: ClientCall): Promise<ClientAnswer> {
  await sleep(afterMs)
  const begin = performance.now()
  const times: number[] = []
  let text = ''
  const extension = { ignore_eos: true }
  const stream = await client.chat.completions.create({
    model: 'model',
    messages: [{ role: 'user', content }],
    ...{ seed, max_tokens: tokens, stream: true, ...extension },
  })
  for await (const { choices } of stream) {
    const delta = choices[0]?.delta.content
    if (!delta) continue
    text += delta
    times.push(performance.now())
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!)
  gaps.sort((a, b) => a - b)
  return {
    text,
    chunks: times.length,
    firstMs: times[0]! - begin,
    gapMs: gaps[Math.floor(gaps.length / 2)]!,
    longestMs: gaps.at(-1)!,
  }
}

process.on('message', (calls: ClientCall[]) => {
  void Promise.all(calls.map(ask)).then((answers) => process.send!(answers))
})
process.on('disconnect', () => process.exit())

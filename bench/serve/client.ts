// The official client in a process of its own: asks for all streams at once, and tells what each one got.
import OpenAI from 'openai'

export interface ClientCall {
  content: string
  seed: number
  tokens: number
}

export interface ClientAnswer {
  text: string
  chunks: number
  firstMs: number
}

export interface ClientReply {
  answers: ClientAnswer[]
  /** Of the processor, by this process. */
  cpuMs: number
}

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: 'none', maxRetries: 0 })

async function ask({ content, seed, tokens }: ClientCall): Promise<ClientAnswer> {
  const begin = performance.now()
  const answer = { text: '', chunks: 0, firstMs: 0 }
  const extension = { ignore_eos: true }
  const stream = await client.chat.completions.create({
    model: 'model',
    messages: [{ role: 'user', content }],
    ...{ seed, max_tokens: tokens, stream: true, ...extension },
  })
  for await (const { choices } of stream) {
    const text = choices[0]?.delta.content
    if (!text) continue
    answer.firstMs ||= performance.now() - begin
    answer.text += text
    answer.chunks++
  }
  return answer
}

process.on('message', (calls: ClientCall[]) => {
  const begin = process.cpuUsage()
  void Promise.all(calls.map(ask)).then((answers) => {
    const { user, system } = process.cpuUsage(begin)
    process.send!({ answers, cpuMs: (user + system) / 1000 } satisfies ClientReply)
  })
})
process.on('disconnect', () => process.exit())

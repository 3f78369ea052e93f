// npm run bench:long-prompt [-- --streams N --prompt N]: a long prompt arrives while streams run, over HTTP with the
// official client. How much longer than usual the streams wait for their next token, at worst.
//
// Checked first: every stream's text is that of the request alone with the same seed.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import { serve } from 'kvasir/server'
import { check, digits, main, printResult, printTable, ROOT, spread } from './harness.ts'
import type { ClientAnswer, ClientCall } from './serve/client.ts'

const TOKENS = 160

main(async () => {
  const { values } = parseArgs({
    options: {
      streams: { type: 'string', default: '32' },
      prompt: { type: 'string', default: '6000' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string' },
      model: { type: 'string', default: 'smollm2:135m' },
    },
  })
  const streams = Number(values.streams)
  const llm = await load(values.model, {
    ...{ maxSequences: streams + 1, context: 8192, prefixCache: false },
    ...(values.threads && { threads: Number(values.threads) }),
  })
  const server = await serve(llm, { port: 0, names: ['model'] })
  const client = fork(join(ROOT, 'build/bench/serve/client.js'), [server.url], { serialization: 'advanced' })

  const calls: ClientCall[] = Array.from({ length: streams }, (_, i) => ({
    content: `Why ${i}?`,
    seed: i,
    tokens: TOKENS,
  }))
  const long = { content: 'The sea was calm. '.repeat(Number(values.prompt) / 5), seed: 1, tokens: 2, afterMs: 2000 }
  const [first] = calls as [ClientCall]
  const alone = await llm.chat(first.content, { seed: 0, maxTokens: TOKENS, temperature: 1, topP: 1, ignoreEos: true })

  const rows: string[][] = []
  const worst: number[] = []
  for (let round = 0; round <= Number(values.rounds); round++) {
    client.send([...calls, long] satisfies ClientCall[])
    const [answers] = (await once(client, 'message')) as [ClientAnswer[]]
    check(answers[0]!.text === alone.text, `${answers[0]!.text} instead of ${alone.text}`)
    if (round === 0) continue // the model of step times learns
    const own = answers.slice(0, streams)
    const ratios = own.map(({ gapMs, longestMs }) => longestMs / gapMs)
    worst.push(Math.max(...ratios))
    rows.push([
      String(round),
      digits(spread(own.map(({ gapMs }) => gapMs)).median),
      digits(Math.max(...own.map(({ longestMs }) => longestMs))),
      digits(worst.at(-1)!),
      digits(answers.at(-1)!.firstMs),
    ])
  }
  client.disconnect()
  await server.close()
  const { isa } = llm.info
  await llm.dispose()
  printTable(
    ['round', 'median gap, ms', 'longest gap, ms', 'longest against own median', 'first token of the prompt, ms'],
    rows,
  )
  printResult('long-prompt', { streams, worst_gap_ratio: spread(worst).median }, isa)
})

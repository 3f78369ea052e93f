// One process of the edge bench: node probe.js MODEL TOKENS asked|yield. Loads the model and answers, while the KV cache is
// halved by llm.resize(), or gives way by itself because this process takes 300 MB more; prints a line of JSON.
import { load } from 'kvasir'

export interface EdgeProbe {
  loadMs: number
  tokens: number
  tokensPerSecond: number
  /** Tokens that came after the KV cache had become smaller, and its size then. */
  afterShrinking: number
  kvBytes: number
  stepsDown: number
  /** What the KV cache gave way for. */
  why: string
  peakBytes: number
  isa: string
}

async function probe(model: string, maxTokens: number, yieldMemory: boolean): Promise<EdgeProbe> {
  const begin = performance.now()
  const llm = await load(model, { context: 1024, maxSequences: 2, weights: 'as-is', yieldMemory })
  const loadMs = performance.now() - begin
  const page = llm.info.kvBytes / llm.stats().pages
  let why = ''
  llm.watch({
    resized: (_, reason) => {
      why = reason
    },
  })
  const taken: Buffer[] = []
  const times: number[] = []
  let count = 0
  let afterShrinking = 0
  for await (const { tokens } of llm.generate('Once upon a time', { temperature: 0, maxTokens, ignoreEos: true })) {
    times.push(performance.now())
    count += tokens.length
    if (llm.stats().pages * page < llm.info.kvBytes) afterShrinking += tokens.length
    else if (yieldMemory && taken.length === 0 && count > 2) taken.push(Buffer.alloc(300e6, 1))
    else if (!yieldMemory && count > maxTokens / 2) llm.resize({ kvBytes: llm.info.kvBytes / 2 })
  }
  const { isa } = llm.info
  const { pages, stepsDown } = llm.stats()
  const peakBytes = process.resourceUsage().maxRSS * 1024
  await llm.dispose()
  const seconds = (times.at(-1)! - times[0]!) / 1000
  return {
    ...{ loadMs, tokens: count, tokensPerSecond: (count - 1) / seconds, afterShrinking },
    ...{ kvBytes: pages * page, stepsDown, why, peakBytes, isa },
  }
}

if (require.main === module)
  probe(process.argv[2]!, Number(process.argv[3]), process.argv[4] === 'yield').then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error)
      process.exitCode = 1
    },
  )

// One process of the edge bench: node probe.js MODEL TOKENS. Loads the model, answers, halves the KV cache while it does,
// and prints a line of JSON.
import { load } from 'kvasir'

export interface EdgeProbe {
  loadMs: number
  tokens: number
  tokensPerSecond: number
  /** Tokens that came after the KV cache was halved, and its size then. */
  afterHalving: number
  kvBytes: number
  peakBytes: number
  isa: string
}

async function probe(model: string, maxTokens: number): Promise<EdgeProbe> {
  const begin = performance.now()
  const llm = await load(model, { context: 1024, maxSequences: 2 })
  const loadMs = performance.now() - begin
  const times: number[] = []
  let afterHalving = 0
  let kvBytes = llm.info.kvBytes
  for await (const { tokens } of llm.generate('Once upon a time', { temperature: 0, maxTokens, ignoreEos: true })) {
    times.push(performance.now())
    if (kvBytes < llm.info.kvBytes) afterHalving += tokens.length
    else if (times.length > maxTokens / 2) kvBytes = llm.resize({ kvBytes: llm.info.kvBytes / 2 })
  }
  const { isa } = llm.info
  const peakBytes = process.resourceUsage().maxRSS * 1024
  await llm.dispose()
  const seconds = (times.at(-1)! - times[0]!) / 1000
  return {
    loadMs,
    tokens: times.length,
    tokensPerSecond: (times.length - 1) / seconds,
    afterHalving,
    kvBytes,
    peakBytes,
    isa,
  }
}

if (require.main === module)
  probe(process.argv[2]!, Number(process.argv[3])).then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error)
      process.exitCode = 1
    },
  )

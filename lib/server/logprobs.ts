// Log-probabilities as OpenAI's chat API has them.
import type { TokenLogprob } from '../engine/answer.ts'
import type { Model } from './shared.ts'

export interface ChatLogprob {
  token: string
  logprob: number
  bytes: number[]
}

export function chatLogprobs(llm: Model, logprobs: readonly TokenLogprob[]) {
  return logprobs.map(({ token, logprob, top }) => ({
    ...entry(llm, token, logprob),
    top_logprobs: top.map((one) => entry(llm, one.token, one.logprob)),
  }))
}

// JSON has no −Infinity; the API says −9999 for what is out of all question.
function entry(llm: Model, id: number, logprob: number): ChatLogprob {
  const bytes = llm.tokenBytes(id)
  return { token: Buffer.from(bytes).toString(), logprob: Math.max(logprob, -9999), bytes: [...bytes] }
}

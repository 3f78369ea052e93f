// Log-probabilities in the two forms of OpenAI's API.
import type { TokenLogprob } from '../engine/answer.ts'
import type { Model } from './shared.ts'

const LOWEST = -9999 // JSON has no −Infinity; the API says this of what is out of all question

export interface ChatLogprob {
  token: string
  logprob: number
  bytes: number[]
}

/** As /v1/chat/completions and /v1/responses have them. */
export function chatLogprobs(llm: Model, logprobs: readonly TokenLogprob[]) {
  return logprobs.map(({ token, logprob, top }) => ({
    ...entry(llm, token, logprob),
    top_logprobs: top.map((one) => entry(llm, one.token, one.logprob)),
  }))
}

function entry(llm: Model, id: number, logprob: number): ChatLogprob {
  const bytes = llm.tokenBytes(id)
  return { token: Buffer.from(bytes).toString(), logprob: Math.max(logprob, LOWEST), bytes: [...bytes] }
}

/** As /v1/completions has them; the offsets go on from call to call. */
export class CompletionLogprobs {
  private offset = 0

  constructor(private readonly llm: Model) {}

  push(logprobs: readonly TokenLogprob[]) {
    const tokens = logprobs.map(({ token }) => this.text(token))
    const text_offset = tokens.map((token) => {
      const at = this.offset
      this.offset += token.length
      return at
    })
    return {
      tokens,
      token_logprobs: logprobs.map(({ logprob }) => Math.max(logprob, LOWEST)),
      top_logprobs: logprobs.map(({ top }) =>
        Object.fromEntries(top.map(({ token, logprob }) => [this.text(token), Math.max(logprob, LOWEST)])),
      ),
      text_offset,
    }
  }

  private text(id: number): string {
    return Buffer.from(this.llm.tokenBytes(id)).toString()
  }
}

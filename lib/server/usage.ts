// Tokens of an answer as OpenAI's API counts them.
import type { Answer, ChoiceResult, Usage } from '../engine/answer.ts'
import type { Model } from './shared.ts'

export function usageOf({ promptTokens, cachedTokens, completionTokens }: Usage, reasoningTokens = 0) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  }
}

export const choicesOf = (answer: Answer): ChoiceResult[] => answer.choices ?? [{ ...answer, index: 0 }]

/** How many tokens of answers were thoughts; `thought` says of which there are any. */
export function reasoningTokens(llm: Model, answer: Answer, thought: (index: number) => boolean): number {
  let sum = 0
  for (const { index, text, tokens } of choicesOf(answer)) {
    if (!thought(index)) continue
    const end = text.indexOf(CLOSE)
    const bytes = end < 0 ? Infinity : Buffer.byteLength(text.slice(0, end + CLOSE.length))
    for (let at = 0, i = 0; i < tokens.length && at < bytes; i++, sum++) at += llm.tokenBytes(tokens[i]!).length
  }
  return sum
}

const CLOSE = '</think>'

export function sumOf(answers: readonly { usage: Usage }[]): Usage {
  const sum = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }
  for (const { usage } of answers) {
    sum.promptTokens += usage.promptTokens
    sum.cachedTokens += usage.cachedTokens
    sum.completionTokens += usage.completionTokens
  }
  return sum
}

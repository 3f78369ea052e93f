// Tokens of an answer as OpenAI's API counts them.
import type { Usage } from '../engine/answer.ts'

export function usageOf({ promptTokens, cachedTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}

export function sumOf(answers: readonly { usage: Usage }[]): Usage {
  const sum = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }
  for (const { usage } of answers) {
    sum.promptTokens += usage.promptTokens
    sum.cachedTokens += usage.cachedTokens
    sum.completionTokens += usage.completionTokens
  }
  return sum
}

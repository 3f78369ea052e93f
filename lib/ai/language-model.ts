// A chat model for generateText(), streamText() and the rest of the AI SDK.
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
  LanguageModelV3Usage,
} from '@ai-sdk/provider'
import { AnswerParts, opensThoughts } from '../chat/answer-parts.ts'
import type { Answer } from '../engine/answer.ts'
import type { Generation } from '../engine/generation.ts'
import type { ChatOptions } from '../engine/types.ts'
import { abortReason, type Model, PROVIDER } from './model.ts'
import { PartWriter } from './parts.ts'
import { conversation } from './prompt.ts'

export class LanguageModel implements LanguageModelV3 {
  readonly specificationVersion = 'v3'
  readonly provider = PROVIDER
  readonly supportedUrls = {}

  constructor(
    readonly modelId: string,
    private readonly model: () => Promise<Model>,
  ) {}

  async doGenerate(call: LanguageModelV3CallOptions): Promise<LanguageModelV3GenerateResult> {
    const { generation, warnings, parts } = await this.start(call)
    const writer = new PartWriter(() => {})
    try {
      const answer = await generation
      writer.push(parts().push(answer.text))
      writer.push(parts().end())
      writer.end()
      return {
        content: writer.content,
        finishReason: finishReason(answer, writer),
        usage: usage(answer),
        response: { modelId: this.modelId, timestamp: new Date() },
        warnings,
      }
    } catch (error) {
      throw abortReason(error, call.abortSignal)
    }
  }

  async doStream(call: LanguageModelV3CallOptions): Promise<LanguageModelV3StreamResult> {
    const { generation, warnings, parts } = await this.start(call)
    const { modelId } = this
    const stream = new ReadableStream<LanguageModelV3StreamPart>({
      async start(controller) {
        const emit = (part: LanguageModelV3StreamPart) => controller.enqueue(part)
        const writer = new PartWriter(emit)
        emit({ type: 'stream-start', warnings })
        emit({ type: 'response-metadata', modelId, timestamp: new Date() })
        try {
          for await (const { text } of generation) writer.push(parts().push(text))
          const answer = await generation
          writer.push(parts().end())
          writer.end()
          emit({ type: 'finish', finishReason: finishReason(answer, writer), usage: usage(answer) })
          controller.close()
        } catch (error) {
          controller.error(abortReason(error, call.abortSignal))
        }
      },
      cancel: () => generation.abort(),
    })
    return { stream }
  }

  private async start(call: LanguageModelV3CallOptions) {
    const llm = await this.model()
    const { messages, tools, warnings } = conversation(call)
    let thinking = false
    const onPrompt = (prompt: string) => {
      thinking = opensThoughts(prompt)
    }
    const calls = tools.length > 0 ? (llm.info.chat?.calls ?? 'hermes') : null
    let answerParts: AnswerParts | undefined // made when the prompt is known
    const parts = () => {
      answerParts ??= new AnswerParts({ calls, thinking })
      return answerParts
    }
    // In a box: a generation is a promise, and await would wait for it.
    return { generation: llm.chat(messages, { ...chatOptions(call), tools, onPrompt }) as Generation, warnings, parts }
  }
}

function chatOptions(call: LanguageModelV3CallOptions): ChatOptions {
  const options = {
    maxTokens: call.maxOutputTokens,
    temperature: call.temperature,
    topP: call.topP,
    topK: call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    stop: call.stopSequences,
    seed: call.seed,
    signal: call.abortSignal,
    ...heldTo(call),
    ...call.providerOptions?.[PROVIDER],
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

// Where tools are offered the answer may be a call of one instead, so JSON is only asked for. What is held to a format
// from its first token on has no room for thoughts.
function heldTo({ responseFormat, tools = [] }: LanguageModelV3CallOptions): ChatOptions {
  if (responseFormat?.type !== 'json' || tools.length > 0) return {}
  const { schema } = responseFormat
  return {
    format: schema ? { type: 'json_schema', schema } : { type: 'json_object' },
    templateVariables: { enable_thinking: false },
  }
}

function finishReason({ finishReason: raw }: Answer, { calledTools }: PartWriter): LanguageModelV3FinishReason {
  if (calledTools) return { unified: 'tool-calls', raw }
  return { unified: raw === 'abort' ? 'other' : raw, raw }
}

function usage({ usage: { promptTokens, cachedTokens, completionTokens } }: Answer): LanguageModelV3Usage {
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: undefined, reasoning: undefined },
  }
}

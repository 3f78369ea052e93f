// A streamed answer as the parts of the SDK's protocol: text and reasoning with a start and an end each, tool calls.
import { randomUUID } from 'node:crypto'
import type { LanguageModelV3Content, LanguageModelV3StreamPart } from '@ai-sdk/provider'
import type { AnswerPart } from '../chat/answer-parts.ts'

export class PartWriter {
  /** The whole of what was written, for doGenerate(). */
  readonly content: LanguageModelV3Content[] = []
  private open: { type: 'text' | 'reasoning'; id: string } | undefined
  private lastId = 0

  constructor(private readonly emit: (part: LanguageModelV3StreamPart) => void) {}

  get calledTools(): boolean {
    return this.content.some(({ type }) => type === 'tool-call')
  }

  push(parts: readonly AnswerPart[]): void {
    for (const part of parts) {
      if (part.type === 'call') this.toolCall(part.name, part.arguments)
      else this.write(part.type, part.text)
    }
  }

  end(): void {
    if (this.open) this.emit({ type: `${this.open.type}-end`, id: this.open.id })
    this.open = undefined
  }

  private toolCall(toolName: string, input: string): void {
    this.end()
    const part = { type: 'tool-call', toolCallId: randomUUID(), toolName, input } as const
    this.emit({ type: 'tool-input-start', id: part.toolCallId, toolName })
    this.emit({ type: 'tool-input-delta', id: part.toolCallId, delta: input })
    this.emit({ type: 'tool-input-end', id: part.toolCallId })
    this.emit(part)
    this.content.push(part)
  }

  private write(type: 'text' | 'reasoning', delta: string): void {
    if (this.open?.type !== type) {
      this.end()
      this.open = { type, id: String(++this.lastId) }
      this.emit({ type: `${type}-start`, id: this.open.id })
      this.content.push({ type, text: '' })
    }
    this.emit({ type: `${type}-delta`, id: this.open.id, delta })
    const last = this.content.at(-1)!
    if (last.type === type) last.text += delta
  }
}

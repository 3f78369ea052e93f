// A streamed answer as the parts of the SDK's protocol: text and reasoning with a start and an end each, tool calls.
import { randomUUID } from 'node:crypto'
import type { LanguageModelV3Content, LanguageModelV3StreamPart, LanguageModelV3ToolCall } from '@ai-sdk/provider'
import type { AnswerPart } from '../chat/answer-parts.ts'

export class PartWriter {
  /** The whole of what was written, for doGenerate(). */
  readonly content: LanguageModelV3Content[] = []
  private open: { type: 'text' | 'reasoning'; id: string } | undefined
  private call: LanguageModelV3ToolCall | undefined // whose arguments go on
  private lastId = 0

  constructor(private readonly emit: (part: LanguageModelV3StreamPart) => void) {}

  get calledTools(): boolean {
    return this.content.some(({ type }) => type === 'tool-call')
  }

  push(parts: readonly AnswerPart[]): void {
    for (const part of parts) {
      if (part.type === 'call') this.beginCall(part.name, part.arguments)
      else if (part.type === 'arguments') this.input(part.text)
      else this.write(part.type, part.text)
    }
  }

  end(): void {
    if (this.open) this.emit({ type: `${this.open.type}-end`, id: this.open.id })
    this.open = undefined
    if (!this.call) return
    this.emit({ type: 'tool-input-end', id: this.call.toolCallId })
    this.emit(this.call)
    this.content.push(this.call)
    this.call = undefined
  }

  private beginCall(toolName: string, input: string): void {
    this.end()
    this.call = { type: 'tool-call', toolCallId: randomUUID(), toolName, input: '' }
    this.emit({ type: 'tool-input-start', id: this.call.toolCallId, toolName })
    this.input(input)
  }

  private input(delta: string): void {
    if (delta === '') return
    this.call!.input += delta
    this.emit({ type: 'tool-input-delta', id: this.call!.toolCallId, delta })
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

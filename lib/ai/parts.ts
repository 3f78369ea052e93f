// A streamed answer as the parts of the SDK's protocol: text and reasoning with a start and an end each, tool calls.
import { randomUUID } from 'node:crypto'
import type { LanguageModelV3Content, LanguageModelV3StreamPart } from '@ai-sdk/provider'
import { type Section, TaggedText } from './tagged-text.ts'

export class PartWriter {
  /** The whole of what was written, for doGenerate(). */
  readonly content: LanguageModelV3Content[] = []
  private readonly tagged = new TaggedText()
  private open: { type: 'text' | 'reasoning'; id: string } | undefined
  private call = '' // a tool call that is not complete
  private blank = '' // that the answer begins with
  private lastId = 0

  constructor(private readonly emit: (part: LanguageModelV3StreamPart) => void) {}

  get calledTools(): boolean {
    return this.content.some(({ type }) => type === 'tool-call')
  }

  push(text: string): void {
    for (const section of this.tagged.push(text)) this.section(section)
  }

  end(): void {
    for (const section of this.tagged.flush()) this.section(section)
    if (this.call) this.write('text', `<tool_call>${this.call}`) // cut off: show what there is
    this.close()
  }

  private section({ kind, text, closed }: Section): void {
    if (kind === 'tool_call') {
      this.call += text
      if (!closed) return
      this.toolCall(this.call)
      this.call = ''
      return
    }
    this.write(kind === 'think' ? 'reasoning' : 'text', text)
    if (closed) this.close()
  }

  private toolCall(source: string): void {
    const call = parsed(source)
    if (!call) {
      this.write('text', `<tool_call>${source}</tool_call>`) // no JSON: the reader should see it
      return
    }
    this.close()
    const part = { type: 'tool-call', toolCallId: randomUUID(), toolName: call.name, input: call.input } as const
    this.emit({ type: 'tool-input-start', id: part.toolCallId, toolName: call.name })
    this.emit({ type: 'tool-input-delta', id: part.toolCallId, delta: call.input })
    this.emit({ type: 'tool-input-end', id: part.toolCallId })
    this.emit(part)
    this.content.push(part)
  }

  private write(type: 'text' | 'reasoning', delta: string): void {
    if (this.open?.type !== type) {
      // The line breaks around tags are no text of their own, but those that an answer begins with belong to it.
      if (delta.trim() === '') {
        if (this.content.length === 0) this.blank += delta
        return
      }
      delta = this.content.length === 0 ? this.blank + delta : delta.trimStart()
      this.blank = ''
      this.close()
      this.open = { type, id: String(++this.lastId) }
      this.emit({ type: `${type}-start`, id: this.open.id })
      this.content.push({ type, text: '' })
    }
    this.emit({ type: `${type}-delta`, id: this.open.id, delta })
    const last = this.content.at(-1)!
    if (last.type === type) last.text += delta
  }

  private close(): void {
    if (this.open) this.emit({ type: `${this.open.type}-end`, id: this.open.id })
    this.open = undefined
  }
}

function parsed(source: string): { name: string; input: string } | undefined {
  try {
    const { name, arguments: input } = JSON.parse(source)
    return typeof name === 'string' ? { name, input: JSON.stringify(input ?? {}) } : undefined
  } catch {
    return undefined
  }
}

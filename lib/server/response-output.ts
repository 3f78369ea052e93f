// The items of a response as they grow: thoughts, a message, calls of functions; and the events that tell of them.
import { randomBytes } from 'node:crypto'
import type { AnswerPart } from '../chat/answer-parts.ts'
import type { TokenLogprob } from '../engine/answer.ts'
import { chatLogprobs } from './logprobs.ts'
import type { Model } from './shared.ts'

type Status = 'in_progress' | 'completed' | 'incomplete'

interface Item {
  id: string
  type: 'message' | 'reasoning' | 'function_call'
  status: Status
  [field: string]: unknown
}

type Part = { type: 'output_text' | 'reasoning_text'; text: string; [field: string]: unknown }

export type Emit = (type: string, fields: object) => Promise<void> | undefined

export const newId = (prefix: string) => `${prefix}_${randomBytes(16).toString('hex')}`

export class ResponseOutput {
  readonly items: Item[] = []
  private open: { item: Item; part: Part } | undefined
  private call: (Item & { arguments: string }) | undefined // whose arguments go on

  constructor(
    private readonly llm: Model,
    private readonly callId: () => string,
    private readonly emit: Emit,
  ) {}

  async push(parts: readonly AnswerPart[], logprobs: readonly TokenLogprob[] = []): Promise<void> {
    for (const part of parts) {
      if (part.type === 'call') await this.beginCall(part.name, part.arguments)
      else if (part.type === 'arguments') await this.input(part.text)
      else await this.write(part.type, part.text, part.type === 'text' ? logprobs : [])
    }
  }

  async end(status: Status): Promise<void> {
    await this.close(status)
  }

  private async write(type: 'text' | 'reasoning', delta: string, logprobs: readonly TokenLogprob[]): Promise<void> {
    const kind = type === 'text' ? 'output_text' : 'reasoning_text'
    if (this.open?.part.type !== kind) {
      await this.close('completed')
      await this.begin(kind)
    }
    const { item, part } = this.open!
    part.text += delta
    const where = { item_id: item.id, output_index: this.items.length - 1, content_index: 0 }
    if (kind === 'reasoning_text') return this.emit('response.reasoning_text.delta', { ...where, delta })
    const shown = chatLogprobs(this.llm, logprobs)
    ;(part['logprobs'] as object[]).push(...shown)
    await this.emit('response.output_text.delta', { ...where, delta, logprobs: shown })
  }

  private async begin(type: Part['type']): Promise<void> {
    const message = type === 'output_text'
    const part: Part = message ? { type, text: '', annotations: [], logprobs: [] } : { type, text: '' }
    const item: Item = message
      ? { id: newId('msg'), type: 'message', role: 'assistant', status: 'in_progress', content: [] }
      : { id: newId('rs'), type: 'reasoning', status: 'in_progress', summary: [], content: [] }
    await this.added(item)
    const where = { item_id: item.id, output_index: this.items.length - 1, content_index: 0 }
    await this.emit('response.content_part.added', { ...where, part: { ...part } })
    ;(item['content'] as Part[]).push(part)
    this.open = { item, part }
  }

  private async close(status: Status): Promise<void> {
    if (this.call) return this.closeCall(status)
    if (!this.open) return
    const { item, part } = this.open
    this.open = undefined
    const output_index = this.items.length - 1
    const where = { item_id: item.id, output_index, content_index: 0 }
    const done = part.type === 'output_text' ? { text: part.text, logprobs: part['logprobs'] } : { text: part.text }
    await this.emit(`response.${part.type}.done`, { ...where, ...done })
    await this.emit('response.content_part.done', { ...where, part })
    item.status = status
    await this.emit('response.output_item.done', { output_index, item })
  }

  private async beginCall(name: string, input: string): Promise<void> {
    await this.close('completed')
    const call = { id: newId('fc'), type: 'function_call', call_id: this.callId(), name, arguments: '' } as const
    this.call = { ...call, status: 'in_progress' }
    await this.added(this.call)
    await this.input(input)
  }

  private async input(delta: string): Promise<void> {
    if (delta === '') return
    this.call!.arguments += delta
    const where = { item_id: this.call!.id, output_index: this.items.length - 1 }
    await this.emit('response.function_call_arguments.delta', { ...where, delta })
  }

  private async closeCall(status: Status): Promise<void> {
    const item = this.call!
    this.call = undefined
    const output_index = this.items.length - 1
    const done = { item_id: item.id, output_index, name: item['name'], arguments: item.arguments }
    await this.emit('response.function_call_arguments.done', done)
    item.status = status
    await this.emit('response.output_item.done', { output_index, item })
  }

  private async added(item: Item): Promise<void> {
    this.items.push(item)
    await this.emit('response.output_item.added', { output_index: this.items.length - 1, item: structuredClone(item) })
  }
}

// An answer under way. It belongs to its conversation, not to what is on the screen: another may be looked at meanwhile.
import { chat, Failure } from './api.ts'
import type { Conversation, Message } from './store.ts'

const SAVE_EVERY_MS = 1000

export class Run {
  readonly message: Message = { role: 'assistant', content: '' }
  private readonly controller = new AbortController()

  constructor(readonly conversation: Conversation) {
    conversation.messages.push(this.message)
  }

  stop(): void {
    this.controller.abort()
  }

  /** Resolves when the answer is over, however it ended; then the message says how. */
  async finish(model: string, grown: () => void, save: () => void): Promise<number> {
    const { message, conversation } = this
    const begin = performance.now()
    let first = 0
    let last = 0
    let pieces = 0
    let tokens = 0
    let status = 0
    let saved = begin
    try {
      const asked = conversation.messages.slice(0, -1).filter(({ content, error }) => content && !error)
      for await (const delta of chat(model, asked, conversation.settings, this.controller.signal)) {
        tokens = delta.tokens ?? tokens
        if (delta.finish === 'length') message.cut = true
        if (!delta.content && !delta.reasoning) continue
        last = performance.now()
        first ||= last
        pieces++
        if (delta.content) message.content += delta.content
        if (delta.reasoning) message.reasoning = (message.reasoning ?? '') + delta.reasoning
        grown()
        if (last - saved > SAVE_EVERY_MS) {
          saved = last
          save()
        }
      }
    } catch (error) {
      if (this.controller.signal.aborted) message.stopped = true
      else {
        message.error = error instanceof Failure ? error.message : `Something went wrong: ${error}`
        status = error instanceof Failure ? error.status : 0
      }
    }
    // Where the server could not say how many, the pieces are the best count.
    if (first) message.timing = { ttftMs: first - begin, ms: last - first, tokens: tokens || pieces }
    return status
  }
}

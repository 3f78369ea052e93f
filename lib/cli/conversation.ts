// The turns of a conversation so far, and the next answer to it, written as it comes.
import { KvasirError } from '../errors.ts'
import type { ChatMessage, GenerateOptions, Generation, Llm } from '../index.ts'
import { figures } from './report.ts'

export class Conversation {
  private messages: ChatMessage[] = []
  private generation: Generation | undefined

  constructor(
    private readonly llm: Llm,
    private readonly options: GenerateOptions,
    private readonly system: string | undefined,
    private readonly output: NodeJS.WritableStream,
  ) {
    this.reset()
  }

  get answering(): boolean {
    return this.generation !== undefined
  }

  /** Forgets everything but the system message. */
  reset(): void {
    this.messages = this.system === undefined ? [] : [{ role: 'system', content: this.system }]
  }

  /** Ends the answer that is being written. */
  stop(): void {
    this.generation?.abort()
  }

  /** Answers `question`; returns the figures of the answer. When the context is full, old turns are forgotten. */
  async answer(question: string): Promise<string> {
    this.messages.push({ role: 'user', content: question })
    for (;;) {
      try {
        return await this.attempt()
      } catch (error) {
        if (error instanceof KvasirError && error.code === 'KV_TOO_LONG' && this.forget()) continue
        this.messages.pop()
        throw error
      }
    }
  }

  private async attempt(): Promise<string> {
    this.generation = this.llm.chat(this.messages, this.options)
    try {
      for await (const piece of this.generation) this.output.write(piece.text)
      const answer = await this.generation
      this.output.write('\n')
      this.messages.push({ role: 'assistant', content: answer.text })
      return figures(answer)
    } finally {
      this.generation = undefined
    }
  }

  // Drops the oldest question and its answer; false when only the question that is being asked is left.
  private forget(): boolean {
    const first = this.system === undefined ? 0 : 1
    if (this.messages.length - first < 3) return false
    this.messages.splice(first, 2)
    return true
  }
}

// An answer as it comes, told apart into what the model thinks, says and calls. Thoughts stand between <think> and </think>
// at the beginning; calls stand where the checkpoint's format has them (format.ts). Space around them belongs to nobody.
import type { CallFormat } from './format.ts'
import { ObjectEnd } from './object-end.ts'
import { callBegun, type FunctionCall, readCalls } from './tool-calls.ts'

export type AnswerPart =
  | { type: 'text' | 'reasoning'; text: string }
  /** A call of a function begins; its arguments may go on. */
  | ({ type: 'call' } & FunctionCall)
  /** More of the arguments of the call that began last. */
  | { type: 'arguments'; text: string }

export interface AnswerPartsOptions {
  /** How calls are written; null where no tools were offered: then what looks like a call is text. */
  calls: CallFormat | null
  /** The template has opened the thoughts already. */
  thinking?: boolean
}

type State = 'begin' | 'reasoning' | 'text' | 'call' | 'arguments' | 'call end'

const OPEN = '<think>'
const CLOSE = '</think>'
const CALL_MARKS: Record<CallFormat, string> = {
  hermes: '<tool_call>',
  llama3: '<|python_tag|>',
  mistral: '[TOOL_CALLS]',
}
const CALL_END = '</tool_call>' // of hermes; the calls of the others go on to the end

/** True when a prompt ends in the middle of thoughts. */
export const opensThoughts = (prompt: string): boolean => /<think>\s*$/.test(prompt.slice(-32))

export class AnswerParts {
  private readonly calls: CallFormat | null
  private state: State
  private rest = '' // what no part has yet
  private searched = 0 // characters of it that hold no end of a call
  private objectEnd = new ObjectEnd() // of the arguments of a call
  private blank = '' // space that is text only if text follows
  private trims: boolean // space in front of what comes next is nobody's
  private ended = false
  private parts: AnswerPart[] = []

  constructor({ calls, thinking = false }: AnswerPartsOptions) {
    this.calls = calls
    this.state = thinking ? 'reasoning' : 'begin'
    this.trims = thinking
  }

  /** What became certain with this piece, in order. */
  push(piece: string): AnswerPart[] {
    this.rest += piece
    while (this.advance()) {}
    const parts = this.parts
    this.parts = []
    return parts
  }

  /** What was held back, when no more text comes. */
  end(): AnswerPart[] {
    this.ended = true
    return this.push('')
  }

  // Takes what it can from `rest`. True when the state has changed, so that more may be taken.
  private advance(): boolean {
    switch (this.state) {
      case 'begin':
        return this.begin()
      case 'reasoning':
        return this.until(CLOSE) && this.enter('text')
      case 'text':
        return this.until(this.calls && CALL_MARKS[this.calls]) && this.enter('call')
      case 'call':
        return this.calls === 'hermes' ? this.hermesCall() : this.lastCall()
      case 'arguments':
        return this.arguments()
      case 'call end':
        return this.callEnd()
    }
  }

  // The first characters tell whether an answer begins with thoughts, with a call of Llama 3, or with text.
  private begin(): boolean {
    const text = this.rest.trimStart()
    const thinks = text.startsWith(OPEN)
    if (thinks || (this.calls === 'llama3' && text.startsWith('{'))) {
      this.rest = thinks ? text.slice(OPEN.length) : text
      return this.enter(thinks ? 'reasoning' : 'call')
    }
    if (OPEN.startsWith(text) && !this.ended) return false // maybe, when more has come
    this.state = 'text'
    return true
  }

  // Gives out the text before `mark` and takes the mark away; without one in sight, all that cannot be its beginning.
  private until(mark: string | null): boolean {
    const at = mark === null ? -1 : this.rest.indexOf(mark)
    const keep = at >= 0 || mark === null || this.ended ? 0 : overlap(this.rest, mark)
    const end = at >= 0 ? at : this.rest.length - keep
    this.say(this.rest.slice(0, end), at < 0 && this.ended)
    this.rest = this.rest.slice(at >= 0 ? at + mark!.length : end)
    return at >= 0
  }

  // Arguments may be long: they are given out as they come once it is plain whose they are.
  private hermesCall(): boolean {
    const begun = callBegun(this.rest)
    if (begun) {
      this.rest = this.rest.slice(begun.length)
      this.objectEnd = new ObjectEnd()
      this.state = 'arguments'
      this.parts.push({ type: 'call', name: begun.name, arguments: '' })
      return true
    }
    const at = this.rest.indexOf(CALL_END, Math.max(0, this.searched - CALL_END.length))
    this.searched = this.rest.length
    if (at < 0) return this.lastCall()
    const source = this.rest.slice(0, at)
    this.rest = this.rest.slice(at + CALL_END.length)
    this.call(source, CALL_END)
    return this.enter('text')
  }

  private arguments(): boolean {
    const end = this.objectEnd.find(this.rest)
    const text = end < 0 ? this.rest : this.rest.slice(0, end)
    this.rest = this.rest.slice(text.length)
    if (text) this.parts.push({ type: 'arguments', text })
    if (end >= 0) this.state = 'call end'
    return end >= 0
  }

  private callEnd(): boolean {
    const at = this.rest.indexOf(CALL_END)
    this.rest = at < 0 ? this.rest.slice(-CALL_END.length) : this.rest.slice(at + CALL_END.length)
    return at >= 0 && this.enter('text')
  }

  private lastCall(): boolean {
    if (!this.ended || this.rest === '') return false
    const source = this.rest
    this.rest = ''
    this.call(source, '')
    return false
  }

  private call(source: string, end: string): void {
    const calls = readCalls(source, this.calls!)
    this.parts.push(...calls.map((call) => ({ type: 'call' as const, ...call })))
    if (calls.length > 0) return
    // It cannot be read as a call, so the reader should see what it was.
    const mark = this.calls === 'llama3' && source.startsWith('{') ? '' : CALL_MARKS[this.calls!]
    this.parts.push({ type: 'text', text: `${this.blank}${mark}${source}${end}` })
  }

  private enter(state: State): true {
    this.state = state
    this.trims = true
    this.blank = ''
    this.searched = 0
    return true
  }

  // Space is held until text follows it: in front of a call, or at the end of thoughts, it is dropped.
  private say(text: string, last: boolean): void {
    let all = this.blank + text
    if (this.trims) all = all.trimStart()
    const kept = last && this.state === 'text' ? all : all.trimEnd()
    this.blank = all.slice(kept.length)
    if (kept === '') return
    this.trims = false
    this.parts.push({ type: this.state === 'reasoning' ? 'reasoning' : 'text', text: kept })
  }
}

// Length of the longest end of `text` that begins `mark`.
function overlap(text: string, mark: string): number {
  for (let n = Math.min(mark.length - 1, text.length); n > 0; n--)
    if (mark.startsWith(text.slice(text.length - n))) return n
  return 0
}

// One message on the page, and what can be done with it.
import { copyButton, h, icon, iconButton } from './dom.ts'
import { Markdown } from './markdown.ts'
import type { Message } from './store.ts'

export interface MessageActions {
  regenerate(): void
  edit(text: string): void
}

export class MessageView {
  readonly element: HTMLElement
  private readonly body: HTMLElement
  private readonly markdown = new Markdown()
  private readonly thought = new Markdown()
  private reasoning: HTMLDetailsElement | undefined
  private readonly foot = h('div', { class: 'foot' })

  constructor(
    readonly message: Message,
    private readonly actions: MessageActions,
  ) {
    const mine = message.role === 'user'
    this.body = mine ? h('div', { class: 'said' }, message.content) : this.markdown.element
    this.element = h(
      'article',
      { class: mine ? 'message mine' : 'message theirs', 'aria-label': mine ? 'You' : 'Answer' },
      this.body,
      this.foot,
    )
  }

  /** Shows the message as it is now. `last`: nothing comes after it. */
  update(state: { running: boolean; last: boolean }): void {
    if (this.message.role === 'assistant') this.updateAnswer(state.running)
    this.element.classList.toggle('running', state.running)
    this.foot.replaceChildren(...(state.running ? this.waiting() : this.controls(state.last)))
  }

  private updateAnswer(running: boolean): void {
    const { content, reasoning } = this.message
    this.markdown.show(content)
    if (!reasoning) return
    if (!this.reasoning) {
      this.reasoning = h('details', { class: 'reasoning' }, h('summary', {}, 'Reasoning'), this.thought.element)
      this.reasoning.open = running
      this.body.before(this.reasoning)
    }
    if (content && running && this.reasoning.dataset['closed'] === undefined) {
      this.reasoning.open = false // once: the reader may open it again
      this.reasoning.dataset['closed'] = ''
    }
    this.thought.show(reasoning)
  }

  private waiting(): Node[] {
    if (this.message.content || this.message.reasoning) return []
    return [
      h('span', { class: 'dots', role: 'img', 'aria-label': 'Waiting for the first token' }, h('i'), h('i'), h('i')),
    ]
  }

  private controls(last: boolean): Node[] {
    const { role, content, error, stopped, cut, timing } = this.message
    const parts: Node[] = []
    if (error) parts.push(h('p', { class: 'error', role: 'alert' }, error))
    const row = h('div', { class: 'controls' })
    if (content) row.append(copyButton(role === 'user' ? 'Copy the message' : 'Copy the answer', () => content))
    if (role === 'user' && last) row.append(iconButton('edit', 'Edit this message', () => this.edit()))
    if (role === 'assistant' && last) row.append(iconButton('again', 'Answer again', this.actions.regenerate))
    const facts = [
      ...(timing ? timingTexts(timing) : []),
      stopped && 'stopped',
      cut && 'cut off: no more tokens allowed',
    ]
    if (facts.some(Boolean)) row.append(h('span', { class: 'timing' }, facts.filter(Boolean).join(' · ')))
    parts.push(row)
    return parts
  }

  /** The text becomes a field; sending it takes back what came after. */
  edit(): void {
    if (this.element.classList.contains('editing')) return
    const area = h('textarea', { 'aria-label': 'Edit the message', rows: 1 })
    area.value = this.message.content
    const close = () => {
      this.element.classList.remove('editing')
      form.replaceWith(this.body)
      this.foot.hidden = false
    }
    const form = h(
      'form',
      {
        class: 'edit',
        onsubmit: (event: Event) => {
          event.preventDefault()
          if (area.value.trim()) this.actions.edit(area.value)
        },
        onkeydown: (event: KeyboardEvent) => {
          if (event.key === 'Escape') {
            event.stopPropagation()
            close()
            document.getElementById('message')?.focus()
          } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault()
            form.requestSubmit()
          }
        },
      },
      area,
      h(
        'div',
        { class: 'edit-buttons' },
        h('button', { type: 'button', class: 'plain', onclick: close }, 'Cancel'),
        h('button', { class: 'solid' }, icon('send'), 'Send'),
      ),
    )
    this.element.classList.add('editing')
    this.foot.hidden = true
    this.body.replaceWith(form)
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  }
}

function timingTexts({ ttftMs, ms, tokens }: NonNullable<Message['timing']>): string[] {
  const parts = [`${tokens.toLocaleString('en')} ${tokens === 1 ? 'token' : 'tokens'}`]
  if (tokens > 1 && ms > 0) parts.push(`${number((1000 * (tokens - 1)) / ms)} tokens/s`)
  parts.push(`first after ${duration(ttftMs)}`)
  return parts
}

const number = (x: number): string => (x >= 100 ? Math.round(x).toLocaleString('en') : x.toFixed(1))
const duration = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

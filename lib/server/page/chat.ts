// The conversation on the screen: what is said, what is being answered, and the field to write in.
import { find, h, icon } from './dom.ts'
import { MessageView } from './message-view.ts'
import { Run } from './run.ts'
import { Speaker } from './speaker.ts'
import { type Conversation, fresh, load, save } from './store.ts'

const NEAR = 60 // pixels from the end within which the page follows the answer
const IDEAS = [
  'Explain how a KV cache works, in five sentences',
  'Write a haiku about a mountain lake',
  'What is the capital of Norway, and why is it there?',
  'Sort a list of numbers in Python, with comments',
]

export interface ChatEvents {
  /** The list of conversations is different. */
  changed(): void
  /** The server refused for want of a key. */
  keyWanted(): void
  notice(text: string): void
}

export class Chat {
  conversation: Conversation = fresh()
  model = ''
  private views: MessageView[] = []
  private readonly runs = new Map<string, Run>()
  private readonly log = find('log')
  private readonly scroller = find('scroller')
  private readonly latest = find('latest')
  private readonly field = find<HTMLTextAreaElement>('message')
  private readonly button = find('send')
  private readonly speaker = new Speaker(find('spoken'))
  private following = true
  private frame = 0

  constructor(private readonly events: ChatEvents) {
    find('composer').addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.running) this.stop()
      else this.send(this.field.value)
    })
    this.field.addEventListener('keydown', (event) => this.key(event))
    this.field.addEventListener('input', () => this.fit())
    this.scroller.addEventListener('scroll', () => this.scrolled(), { passive: true })
    new ResizeObserver(() => this.keepUp()).observe(this.scroller)
    this.latest.prepend(icon('down'))
    this.latest.addEventListener('click', () => this.follow(true))
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) this.stop()
    })
  }

  isRunning(id: string): boolean {
    return this.runs.has(id)
  }

  open(id: string): void {
    const run = this.runs.get(id)
    const conversation = run?.conversation ?? load(id)
    if (conversation) this.show(conversation)
  }

  create(): void {
    this.show(this.conversation.messages.length === 0 ? this.conversation : fresh())
  }

  show(conversation: Conversation): void {
    this.conversation = conversation
    this.views = conversation.messages.map((message) => this.view(message))
    this.log.replaceChildren(...(this.views.length > 0 ? this.views.map(({ element }) => element) : [this.welcome()]))
    this.refresh()
    this.follow(true)
    this.events.changed()
  }

  stop(): void {
    this.running?.stop()
  }

  /** Ends what runs there: the conversation is removed. */
  forget(id: string): void {
    this.runs.get(id)?.stop()
    this.runs.delete(id)
    if (id === this.conversation.id) this.show(fresh())
  }

  focus(): void {
    this.field.focus()
  }

  private get running(): Run | undefined {
    return this.runs.get(this.conversation.id)
  }

  private send(text: string): void {
    if (!text.trim() || this.running) return
    const { conversation } = this
    conversation.title ||= text.trim().replace(/\s+/g, ' ').slice(0, 80)
    const message = { role: 'user' as const, content: text.trim() }
    conversation.messages.push(message)
    if (this.views.length === 0) this.log.replaceChildren()
    this.append(message)
    this.field.value = ''
    this.fit()
    void this.answer(conversation)
  }

  // Takes back everything from message `from` on.
  private rewind(from: number): void {
    this.conversation.messages.length = from
    for (const view of this.views.splice(from)) view.element.remove()
  }

  private regenerate(): void {
    if (this.running) return
    this.rewind(this.conversation.messages.findLastIndex(({ role }) => role === 'user') + 1)
    void this.answer(this.conversation)
    this.focus()
  }

  private edit(text: string): void {
    if (this.running) return
    this.rewind(this.conversation.messages.findLastIndex(({ role }) => role === 'user'))
    this.send(text)
    this.focus()
  }

  private async answer(conversation: Conversation): Promise<void> {
    const run = new Run(conversation)
    this.runs.set(conversation.id, run)
    this.append(run.message)
    this.refresh()
    this.follow(true)
    this.keep(conversation)
    const status = await run.finish(
      this.model,
      () => this.grown(run),
      () => this.keep(conversation),
    )
    if (this.runs.get(conversation.id) !== run) return // removed meanwhile
    this.runs.delete(conversation.id)
    this.keep(conversation)
    if (status === 401 || status === 403) this.events.keyWanted()
    if (conversation === this.conversation) {
      this.speaker.end(run.message.error ?? run.message.content)
      this.refresh()
      this.keepUp()
    }
  }

  private keep(conversation: Conversation): void {
    conversation.updated = Date.now()
    if (!save(conversation)) this.events.notice('This browser has no room left: the conversation will not be kept.')
    this.events.changed()
  }

  // Shown once a frame, however fast the tokens come.
  private grown(run: Run): void {
    if (run.conversation !== this.conversation || this.frame) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      if (run.conversation !== this.conversation || !this.running) return
      this.views.at(-1)?.update({ running: true, last: true })
      this.speaker.say(run.message.content)
      this.keepUp()
    })
  }

  private view(message: Conversation['messages'][number]): MessageView {
    return new MessageView(message, { regenerate: () => this.regenerate(), edit: (text) => this.edit(text) })
  }

  private append(message: Conversation['messages'][number]): void {
    const view = this.view(message)
    this.views.push(view)
    this.log.append(view.element)
  }

  private refresh(): void {
    const lastMine = this.conversation.messages.findLastIndex(({ role }) => role === 'user')
    const lastOne = this.views.length - 1
    this.views.forEach((view, i) => {
      const running = !!this.running && i === lastOne
      view.update({ running, last: !this.running && (i === lastOne || i === lastMine) })
    })
    this.button.replaceChildren(icon(this.running ? 'stop' : 'send'))
    this.button.setAttribute('aria-label', this.running ? 'Stop' : 'Send')
    this.button.classList.toggle('stopping', !!this.running)
    this.log.setAttribute('aria-busy', String(!!this.running))
  }

  private welcome(): HTMLElement {
    const idea = (text: string) => h('button', { type: 'button', class: 'idea', onclick: () => this.send(text) }, text)
    return h(
      'div',
      { class: 'welcome' },
      h('img', { src: '/page/icon.svg', width: 56, height: 56, alt: '' }),
      h('h1', {}, 'What shall we talk about?'),
      h('div', { class: 'ideas' }, ...IDEAS.map(idea)),
    )
  }

  private key(event: KeyboardEvent): void {
    if (event.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      if (!this.running) this.send(this.field.value)
    } else if (event.key === 'ArrowUp' && this.field.value === '' && !this.running) {
      const view = this.views.findLast(({ message }) => message.role === 'user')
      if (!view) return
      event.preventDefault()
      view.edit()
    }
  }

  private fit(): void {
    this.field.style.height = 'auto'
    this.field.style.height = `${this.field.scrollHeight}px`
  }

  private scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller
    this.following = scrollHeight - scrollTop - clientHeight < NEAR
    this.latest.hidden = this.following
  }

  private follow(now: boolean): void {
    this.following = true
    if (now) this.keepUp()
  }

  private keepUp(): void {
    if (this.following) this.scroller.scrollTop = this.scroller.scrollHeight
  }
}

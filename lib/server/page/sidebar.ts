// The list of conversations; on narrow screens a drawer.
import type { Chat } from './chat.ts'
import { find, h, icon, iconButton } from './dom.ts'
import { type Entry, entries, remove } from './store.ts'

export class Sidebar {
  private readonly list = find('conversations')
  private readonly menu = find('menu')
  private shown = ''

  constructor(private readonly chat: () => Chat) {
    this.menu.append(icon('menu'))
    this.menu.addEventListener('click', () => this.toggle())
    find('veil').addEventListener('click', () => this.toggle(false))
    find('new').prepend(icon('plus'))
    find('new').addEventListener('click', () => this.go(() => this.chat().create()))
    find('sidebar').addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !document.body.classList.contains('drawer')) return
      event.preventDefault()
      this.toggle(false)
      this.menu.focus()
    })
  }

  /** Shows the list as it is now. */
  update(): void {
    const chat = this.chat()
    const all = entries()
    const state = JSON.stringify([chat.conversation.id, all.map(({ id, title }) => [id, title, chat.isRunning(id)])])
    if (state === this.shown) return
    this.shown = state
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.['id']
    this.list.replaceChildren(...all.map((entry) => this.item(entry)))
    if (focused) this.list.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus()
  }

  private item({ id, title }: Entry): HTMLElement {
    const chat = this.chat()
    const open = h(
      'button',
      {
        type: 'button',
        class: 'open',
        'data-id': id,
        'aria-current': id === chat.conversation.id ? 'true' : undefined,
        onclick: () => this.go(() => chat.open(id)),
      },
      h('span', {}, title || 'Untitled'),
      chat.isRunning(id) && h('i', { class: 'busy', role: 'img', 'aria-label': 'being answered' }),
    )
    return h(
      'li',
      {},
      open,
      iconButton('remove', `Delete “${title}”`, () => this.remove(id)),
    )
  }

  private remove(id: string): void {
    remove(id)
    this.chat().forget(id)
    this.update()
    find('new').focus()
  }

  private go(action: () => void): void {
    action()
    this.toggle(false)
    this.chat().focus()
  }

  private toggle(open = !document.body.classList.contains('drawer')): void {
    document.body.classList.toggle('drawer', open)
    this.menu.setAttribute('aria-expanded', String(open))
    if (open) find('new').focus()
  }
}

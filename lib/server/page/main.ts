// Puts the page together: the two views, the theme, the model's name.
import { Failure, models } from './api.ts'
import { Chat } from './chat.ts'
import { find, h, type IconName, icon } from './dom.ts'
import { LiveView } from './live.ts'
import { SettingsSheet } from './settings.ts'
import { Sidebar } from './sidebar.ts'
import { entries, onOtherTab, save } from './store.ts'

const THEMES: Record<string, { next: string; icon: IconName; label: string }> = {
  auto: { next: 'light', icon: 'auto', label: 'Colours: as the system has it' },
  light: { next: 'dark', icon: 'light', label: 'Colours: light' },
  dark: { next: 'auto', icon: 'dark', label: 'Colours: dark' },
}

const sidebar = new Sidebar(() => chat)
const live = new LiveView(find('live-view'), () => settings.wantKey(true))
const chat: Chat = new Chat({
  changed: () => sidebar.update(),
  keyWanted: () => settings.wantKey(true),
  notice,
})
const settings = new SettingsSheet(
  () => chat.conversation.settings,
  (keyChanged) => {
    if (chat.conversation.messages.length > 0 && !save(chat.conversation)) notice('The settings could not be kept.')
    if (keyChanged) void connect()
  },
)

function view(): void {
  const showLive = location.hash === '#live'
  find('chat-view').hidden = showLive
  find('live-view').hidden = !showLive
  find('to-chat').ariaCurrent = showLive ? null : 'page'
  find('to-live').ariaCurrent = showLive ? 'page' : null
  document.body.classList.toggle('on-live', showLive)
  document.title = showLive ? 'Live · Kvasir' : 'Kvasir'
  live.show(showLive)
}

function theme(): void {
  const button = find('theme')
  const now = () => document.documentElement.dataset['theme'] ?? 'auto'
  const paint = () => {
    const { icon: name, label } = THEMES[now()]!
    button.replaceChildren(icon(name))
    button.setAttribute('aria-label', label)
    button.title = label
    live.repaint()
  }
  button.addEventListener('click', () => {
    const { next } = THEMES[now()]!
    if (next === 'auto') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = next
    try {
      localStorage.setItem('kvasir.theme', next)
    } catch {
      // for as long as the page is open
    }
    paint()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => live.repaint())
  paint()
}

async function connect(): Promise<void> {
  try {
    const [card] = await models()
    chat.model = card?.id ?? ''
    find('model').textContent = chat.model
    find('model').title = chat.model
    find('model').hidden = !chat.model
    live.retry()
  } catch (error) {
    const refused = error instanceof Failure && (error.status === 401 || error.status === 403)
    if (refused) settings.wantKey(true)
    else notice((error as Error).message)
  }
}

let notices = 0
function notice(text: string): void {
  if (document.querySelector('.notice')?.textContent === text) return
  const element = h('div', { class: 'notice', role: 'status', 'data-n': ++notices }, text)
  document.body.append(element)
  setTimeout(() => element.remove(), 6000)
}

const [newest] = entries()
if (newest) chat.open(newest.id)
if (chat.conversation.messages.length === 0) chat.show(chat.conversation)
onOtherTab((id) => {
  if (id === chat.conversation.id && !chat.isRunning(id)) chat.open(id)
  else sidebar.update()
})
theme()
addEventListener('hashchange', view)
view()
void connect()
if (location.hash !== '#live' && matchMedia('(hover: hover)').matches) chat.focus()

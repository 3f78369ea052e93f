// What stays in this browser: conversations, settings, the key if it may. Storage may be full, switched off or broken;
// then the page works all the same and forgets.

export interface Message {
  role: 'user' | 'assistant'
  content: string
  reasoning?: string
  /** What went wrong, in a sentence. */
  error?: string
  stopped?: boolean
  /** It reached the most tokens that were allowed. */
  cut?: boolean
  /** Milliseconds to the first token and from there to the last, and tokens. */
  timing?: { ttftMs: number; ms: number; tokens: number }
}

export interface Settings {
  system: string
  temperature: number
  topP: number
  seed: number | null
  maxTokens: number | null
}

export const DEFAULTS: Readonly<Settings> = { system: '', temperature: 0.7, topP: 0.95, seed: null, maxTokens: null }

export interface Conversation {
  id: string
  title: string
  updated: number
  settings: Settings
  messages: Message[]
}

export type Entry = Pick<Conversation, 'id' | 'title' | 'updated'>

const INDEX = 'kvasir.conversations'
const SETTINGS = 'kvasir.settings'
const KEY = 'kvasir.key'
const name = (id: string) => `kvasir.conversation.${id}`

function read<T>(key: string): T | undefined {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

function write(key: string, value: unknown): boolean {
  try {
    localStorage.setItem(key, JSON.stringify(value))
    return true
  } catch {
    return false
  }
}

/** Newest first. */
export function entries(): Entry[] {
  const list = read<Entry[]>(INDEX)
  return Array.isArray(list) ? list.filter((entry) => typeof entry?.id === 'string') : []
}

export function load(id: string): Conversation | undefined {
  const found = read<Conversation>(name(id))
  if (!found || !Array.isArray(found.messages)) return undefined
  return { ...found, settings: { ...DEFAULTS, ...found.settings } }
}

/** False when there was no room. */
export function save(conversation: Conversation): boolean {
  const { id, title, updated } = conversation
  const others = entries().filter((entry) => entry.id !== id)
  const index = [{ id, title, updated }, ...others].sort((a, b) => b.updated - a.updated)
  return write(name(id), conversation) && write(INDEX, index)
}

export function remove(id: string): void {
  write(
    INDEX,
    entries().filter((entry) => entry.id !== id),
  )
  try {
    localStorage.removeItem(name(id))
  } catch {
    // nothing was kept
  }
}

export function fresh(): Conversation {
  const id = Date.now().toString(36) + Math.random().toString(36).slice(2, 6)
  return { id, title: '', updated: Date.now(), settings: { ...DEFAULTS, ...read<Settings>(SETTINGS) }, messages: [] }
}

export function saveSettings(settings: Settings): void {
  write(SETTINGS, settings)
}

let key = read<string>(KEY) ?? ''
let remembered = key !== ''

export const apiKey = {
  get value(): string {
    return key
  },
  get remembered(): boolean {
    return remembered
  },
  set(value: string, remember: boolean): void {
    key = value.trim()
    remembered = remember
    write(KEY, remember ? key : '')
  },
}

/** Calls back when another tab of this browser has changed a conversation. */
export function onOtherTab(changed: (id: string | undefined) => void): void {
  addEventListener('storage', (event) => {
    if (event.key === INDEX) changed(undefined)
    else if (event.key?.startsWith(name(''))) changed(event.key.slice(name('').length))
  })
}

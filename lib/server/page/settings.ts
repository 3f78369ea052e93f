// The sheet with the settings of a conversation, and the key where the server wants one.
import { find, icon } from './dom.ts'
import { apiKey, DEFAULTS, type Settings, saveSettings } from './store.ts'

export class SettingsSheet {
  private readonly dialog = find<HTMLDialogElement>('settings')
  private readonly form = find<HTMLFormElement>('settings-form')

  constructor(
    private readonly current: () => Settings,
    private readonly changed: (keyChanged: boolean) => void,
  ) {
    find('to-settings').append(icon('settings'))
    find('to-settings').addEventListener('click', () => this.open())
    find('settings-close').append(icon('close'))
    find('settings-reset').addEventListener('click', () => this.fill(DEFAULTS))
    this.form.addEventListener('input', () => this.outputs())
    this.dialog.addEventListener('close', () => this.take())
    this.dialog.addEventListener('click', (event) => {
      if (event.target === this.dialog) this.dialog.close() // beside it
    })
  }

  open(): void {
    this.fill(this.current())
    this.field('key').value = apiKey.value
    this.field('remember').checked = apiKey.remembered
    this.dialog.showModal()
  }

  /** The server wants a key: the field is there from now on. */
  wantKey(open: boolean): void {
    find('key-part').hidden = false
    if (!open || this.dialog.open) return
    this.open()
    this.field('key').focus()
  }

  private fill(settings: Settings): void {
    for (const name of ['system', 'temperature', 'topP', 'seed', 'maxTokens'] as const)
      this.field(name).value = String(settings[name] ?? '')
    this.outputs()
  }

  private take(): void {
    const settings = this.current()
    settings.system = this.field('system').value
    settings.temperature = Number(this.field('temperature').value)
    settings.topP = Number(this.field('topP').value)
    settings.seed = this.whole('seed', 0)
    settings.maxTokens = this.whole('maxTokens', 1)
    saveSettings(settings)
    const before = apiKey.value
    apiKey.set(this.field('key').value, this.field('remember').checked)
    this.changed(before !== apiKey.value)
  }

  private outputs(): void {
    for (const name of ['temperature', 'topP'] as const)
      this.field(`${name}-value`).value = Number(this.field(name).value).toFixed(2)
  }

  // Nothing where the field is empty or no whole number.
  private whole(name: string, least: number): number | null {
    const { value } = this.field(name)
    const number = Number(value)
    return value !== '' && Number.isSafeInteger(number) && number >= least ? number : null
  }

  private field(name: string): HTMLInputElement {
    return this.form.elements.namedItem(name) as HTMLInputElement
  }
}

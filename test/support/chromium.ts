// A real browser. Without one, what needs it says so and is left out; where CI runs it must be there.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

/** Path of Chromium or Chrome: CHROME_PATH, or from PATH. */
export function chromiumPath(): string | undefined {
  const named = process.env['CHROME_PATH']
  if (named) return named
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of NAMES) if (existsSync(join(folder, name))) return join(folder, name)
  if (process.env['CI']) throw new Error('no Chromium: install it (apt-get install chromium) or set CHROME_PATH')
  console.warn('\n*** SKIPPED: the tests of the page need Chromium; install it or set CHROME_PATH ***\n')
  return undefined
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
}

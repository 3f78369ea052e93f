// The page in a browser, over a scripted model. Whatever happens in it, it asks nobody but its server, and nothing is
// complained of in the console: `problems` has what happened all the same.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { ServerOptions } from '../../lib/server/index.ts'
import type { ScriptedOptions, scripted } from '../../lib/testing/index.ts'
import { launch } from '../support/chromium.ts'
import { serving } from './client.ts'

export interface OpenOptions extends ServerOptions {
  model?: ScriptedOptions
  browser?: BrowserContextOptions
  hash?: string
}

let browser: Browser
const pages: Page[] = []
const problems: string[] = []

/** Call once in a describe(). */
export function withBrowser(path: string): void {
  beforeAll(async () => {
    browser = await launch(path)
  })
  afterAll(() => browser?.close())
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close()
    expect(problems.splice(0)).toEqual([])
  })
}

/** Problems of this test that were meant to be. */
export const expected = (pattern: RegExp): void => {
  expect(problems.filter((text) => pattern.test(text))).not.toEqual([])
  problems.splice(0, problems.length, ...problems.filter((text) => !pattern.test(text)))
}

export async function open(answers: Parameters<typeof scripted>[0], options: OpenOptions = {}) {
  const { browser: look = {}, hash = '', ...server } = options
  const served = await serving(answers, server)
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...look })
  const page = await context.newPage()
  pages.push(page)
  watch(page, served.url)
  await page.goto(served.url + hash)
  return { ...served, page }
}

function watch(page: Page, url: string): void {
  page.setDefaultTimeout(20_000)
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`error: ${error.stack}`))
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) problems.push(`request: ${request.url()}`)
  })
}

export const words = (count: number): string => Array.from({ length: count }, (_, i) => `word${i}`).join(' ')

/** Writes and sends a message by keyboard. */
export async function ask(page: Page, text: string): Promise<void> {
  await page.locator('#message').fill(text)
  await page.locator('#message').press('Enter')
}

/** Text of the last answer, once it is complete. */
export async function answered(page: Page): Promise<string> {
  await page.locator('.theirs:last-child:not(.running) .controls').waitFor()
  return page.locator('.theirs:last-child .prose').innerText()
}

// The page in Chromium: dark and light, keyboard, small screens, no motion.
import { describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { answered, ask, open, withBrowser, words } from './page.ts'

const path = chromiumPath()

describe.skipIf(!path)('look and reach of the page', () => {
  withBrowser(path!)

  it('is dark or light: as the system, or as chosen, also after a reload', async () => {
    const { page } = await open([], { browser: { colorScheme: 'dark' } })
    const light = () =>
      page.evaluate('getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)[0] > 128')
    expect(await light()).toBe(false)
    await page.locator('#theme').click()
    expect(await light()).toBe(true)
    await page.reload()
    expect(await light()).toBe(true)
    await page.locator('#theme').click()
    await page.emulateMedia({ colorScheme: 'light' })
    expect(await light()).toBe(false)
    await page.locator('#theme').click()
    expect(await light()).toBe(true)
  })

  it('can be used without a mouse, and shows where the focus is', async () => {
    const { page } = await open([words(500), 'Done.'], { model: { delayMs: 5 } })
    const seen: string[] = []
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab')
      if ((await page.locator(':focus').count()) === 0) continue // round and out of the page
      const { name, ring } = await page.locator(':focus').evaluate((element) => {
        const { outlineStyle, boxShadow } = element.ownerDocument.defaultView.getComputedStyle(element)
        const name: string = element.getAttribute('aria-label') ?? element.textContent?.trim()
        return { name, ring: outlineStyle !== 'none' || boxShadow !== 'none' }
      })
      expect(ring, name).toBe(true)
      seen.push(name)
    }
    for (const name of ['Chat', 'Live', 'Settings', 'New conversation', 'Message', 'Send']) expect(seen).toContain(name)
    await page.locator('#message').focus()
    await page.keyboard.type('Count{')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('}')
    await page.keyboard.press('Enter')
    await page.locator('.prose', { hasText: 'word3' }).waitFor()
    expect(await page.locator('.said').innerText()).toBe('Count{\n}')
    await page.keyboard.press('Escape')
    await answered(page)
    await page.getByRole('button', { name: 'Answer again' }).focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => answered(page)).toBe('Done.')
    await page.locator('#to-settings').focus()
    await page.keyboard.press('Enter')
    await page.locator('dialog[open]').waitFor()
    await page.keyboard.press('Escape')
    expect(await page.evaluate('document.activeElement.id')).toBe('to-settings')
  })

  it('fits a screen of 360 pixels', async () => {
    const answer = `${'unbreakable'.repeat(40)}\n\n\`\`\`\n${'x'.repeat(400)}\n\`\`\`\n\n| a | b |\n|---|---|\n| ${words(9)} | ${words(9)} |`
    const { page } = await open([answer], { browser: { viewport: { width: 360, height: 700 } } })
    const wide = () => page.evaluate('document.documentElement.scrollWidth - innerWidth')
    expect(await wide()).toBe(0)
    await ask(page, 'Long')
    await answered(page)
    expect(await wide()).toBe(0)
    expect(await page.locator('#scroller').evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0)
    await page.getByRole('button', { name: 'Conversations' }).click()
    await page.locator('#conversations .open').click()
    expect(await page.locator('#menu').getAttribute('aria-expanded')).toBe('false')
    await page.getByRole('link', { name: 'Live' }).click()
    await page.locator('.tiles dd', { hasText: 'of 8' }).waitFor()
    expect(await wide()).toBe(0)
    expect(await page.locator('#live-view').evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0)
  })

  it('stands still for those who want no motion', async () => {
    const { page } = await open([words(400)], {
      model: { delayMs: 5 },
      browser: { reducedMotion: 'reduce' },
    })
    await ask(page, 'Count')
    await page.locator('.prose', { hasText: 'word3' }).waitFor()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
    await page.getByRole('link', { name: 'Live' }).click()
    await page.locator('.tiles dd', { hasText: '1 of 8' }).waitFor()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
  })
})

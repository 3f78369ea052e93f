// The page at `/` in Chromium: what people do in a chat, what they see of the engine, and what nobody can do to them.
import { describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { serving } from './client.ts'
import { answered, ask, expected, open, withBrowser, words } from './page.ts'

const path = chromiumPath()

describe.skipIf(!path)('the page', () => {
  withBrowser(path!)

  describe('chat', () => {
    it('streams an answer and says how fast it came', async () => {
      const { page } = await open([words(60)], { model: { delayMs: 15 } })
      await ask(page, 'Count')
      await page.locator('.theirs.running .prose', { hasText: 'word5' }).waitFor()
      expect(await page.locator('.prose').innerText()).not.toContain('word59')
      expect(await answered(page)).toBe(words(60))
      expect(await page.locator('.timing').innerText()).toMatch(/^61 tokens · [\d.,]+ tokens\/s · first after \d+ ms$/)
      expect(await page.locator('#message').inputValue()).toBe('')
      expect(await page.locator('#spoken').innerText()).toContain('word59')
    })

    it.each(['Escape', 'button'])('is stopped by %s, and so is the engine', async (how) => {
      const { page, llm } = await open([words(3000), 'Fine.'], { model: { delayMs: 5 } })
      await ask(page, 'Go on')
      await page.locator('.prose', { hasText: 'word3' }).waitFor()
      if (how === 'Escape') await page.keyboard.press('Escape')
      else await page.getByRole('button', { name: 'Stop' }).click()
      expect(await answered(page)).toMatch(/^word0 word1/)
      expect(await page.locator('.timing').innerText()).toContain('stopped')
      await expect.poll(() => llm.stats().requests).toBe(0)
      await ask(page, 'And now?')
      await expect.poll(() => answered(page)).toBe('Fine.')
    })

    it('answers again, and takes back what an edited message led to', async () => {
      const { page } = await open((prompt) => `You said ${/.*\nuser\n?(.*?)<|$/.exec(prompt)?.[1] ?? prompt.length}`)
      await ask(page, 'One')
      const first = await answered(page)
      await page.getByRole('button', { name: 'Answer again' }).click()
      await expect.poll(() => page.locator('.message').count()).toBe(2)
      expect(await answered(page)).toBe(first)
      await page.locator('#message').press('ArrowUp')
      await page.getByLabel('Edit the message').fill('Something that is longer')
      await page.getByLabel('Edit the message').press('Enter')
      await page.locator('.said', { hasText: 'longer' }).waitFor()
      await answered(page)
      expect(await page.locator('.said').allInnerTexts()).toEqual(['Something that is longer'])
      expect(await page.locator('.message').count()).toBe(2)
    })

    it('keeps conversations over a reload, several of them, until they are deleted', async () => {
      const { page } = await open(['First answer', 'Second answer'])
      await ask(page, 'First question')
      await answered(page)
      await page.getByRole('button', { name: 'New conversation' }).click()
      await ask(page, 'Second question')
      await answered(page)
      await page.reload()
      expect(await page.locator('.prose').innerText()).toBe('Second answer')
      const list = page.locator('#conversations .open')
      expect(await list.allInnerTexts()).toEqual(['Second question', 'First question'])
      await list.nth(1).click()
      expect(await page.locator('.prose').innerText()).toBe('First answer')
      await page.locator('#conversations li').nth(1).hover()
      await page.getByRole('button', { name: 'Delete “First question”' }).click()
      expect(await list.allInnerTexts()).toEqual(['Second question'])
      await page.reload()
      expect(await list.allInnerTexts()).toEqual(['Second question'])
    })

    it('goes on answering one conversation while another is read', async () => {
      const { page } = await open((prompt) => (prompt.includes('slow') ? words(150) : 'Quick.'), {
        model: { delayMs: 10 },
      })
      await ask(page, 'slow')
      await page.locator('.prose', { hasText: 'word2' }).waitFor()
      await page.getByRole('button', { name: 'New conversation' }).click()
      await ask(page, 'quick')
      expect(await answered(page)).toBe('Quick.')
      await page.locator('.busy').waitFor({ state: 'detached' })
      await page.locator('#conversations .open', { hasText: 'slow' }).click()
      expect(await page.locator('.prose').innerText()).toBe(words(150))
    })

    it('sends the settings, and keeps them', async () => {
      const { page } = await open(['one', 'two'])
      await page.getByRole('button', { name: 'Settings' }).click()
      await page.getByLabel('System prompt').fill('Be brief.')
      await page.getByLabel('Temperature').fill('0.25')
      await page.getByLabel('Top-p').fill('0.5')
      await page.getByLabel('Seed').fill('7')
      await page.getByLabel('Max tokens').fill('12')
      await page.getByRole('button', { name: 'Done' }).click()
      for (const text of ['Hello', 'Again']) {
        const request = page.waitForRequest('**/v1/chat/completions')
        await ask(page, text)
        const sent = (await request).postDataJSON()
        expect(sent).toMatchObject({ temperature: 0.25, top_p: 0.5, seed: 7, max_tokens: 12, stream: true })
        expect(sent.messages[0]).toEqual({ role: 'system', content: 'Be brief.' })
        expect((await request).headers()['x-kvasir-priority']).toBe('interactive')
        await answered(page)
        await page.reload()
      }
    })

    it('tells what went wrong in a sentence', async () => {
      const { page, server } = await open([new Error('no'), words(5)], { model: { context: 32 } })
      await ask(page, 'Hello')
      await page.getByRole('alert').waitFor()
      expect(await page.getByRole('alert').innerText()).toMatch(/^[A-Z].*\.$/)
      await ask(page, words(100))
      await page.locator('.error', { hasText: 'shorten it' }).waitFor()
      await server.close()
      await ask(page, 'Still there?')
      await page.locator('.error', { hasText: 'The server cannot be reached. Is it still running?' }).waitFor()
      expected(/Failed to load resource/)
    })

    it('asks for a key where one is needed, and forgets it unless told to remember', async () => {
      const { page } = await open(['Welcome.'], { tenants: [{ name: 'ada', keys: ['secret-key'] }] })
      const field = page.locator('input[name=key]')
      await field.waitFor()
      expect(await field.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true)
      await field.fill('secret-key')
      await page.getByRole('button', { name: 'Done' }).click()
      await page.locator('#model', { hasText: 'scripted' }).waitFor()
      await ask(page, 'Hello')
      expect(await answered(page)).toBe('Welcome.')
      expect(await page.evaluate('JSON.stringify({ ...localStorage })')).not.toContain('secret-key')
      await page.reload()
      await field.fill('secret-key')
      await page.getByLabel('Remember it in this browser').check()
      await page.getByRole('button', { name: 'Done' }).click()
      await page.locator('#model', { hasText: 'scripted' }).waitFor() // the sheet has been taken
      await page.reload()
      await page.locator('#model', { hasText: 'scripted' }).waitFor()
      expect(await field.isVisible()).toBe(false)
      expected(/status of 401/)
    })
  })

  describe('live view', () => {
    it('shows what the engine does while it does it', async () => {
      const { page, llm } = await open(() => words(300), { model: { delayMs: 10, maxSequences: 4 }, hash: '#live' })
      const tile = (name: string) => page.locator('.tiles > div', { hasText: name }).locator('dd')
      await expect.poll(() => tile('Running').innerText()).toBe('0 of 4')
      const prompt = words(100)
      await llm.generate(prompt, { maxTokens: 1 })
      const calls = (['interactive', 'interactive', 'standard', 'standard', 'batch', 'batch'] as const).map(
        (priority) => llm.generate(prompt, { priority }),
      )
      await expect.poll(() => tile('Running').innerText()).toBe('4 of 4')
      await expect.poll(() => tile('Waiting').innerText()).toBe('2')
      await expect.poll(async () => Number.parseFloat(await tile('Generated').innerText())).toBeGreaterThan(10)
      const group = (name: string) => page.getByRole('group', { name }).locator('.counts')
      expect(await group('Interactive').innerText()).toBe('2 running 0 waiting')
      expect(await group('Batch').innerText()).toBe('0 running 2 waiting')
      const shared = page.locator('.key.page-shared b')
      await expect.poll(async () => Number(await shared.innerText())).toBeGreaterThan(0)
      for (const canvas of await page.locator('canvas').all())
        expect(await canvas.evaluate(colours), (await canvas.getAttribute('aria-label')) ?? '').toBeGreaterThan(3)
      await Promise.all(calls)
      await expect.poll(() => tile('Running').innerText()).toBe('0 of 4')
      const kept = page.getByRole('group', { name: 'Interactive' }).locator('.kept').first()
      await expect.poll(() => kept.innerText()).toContain('≤ 1.0 s')
      await expect.poll(async () => Number(await page.locator('.key.page-cached b').innerText())).toBeGreaterThan(0)
      await expect.poll(() => page.locator('.key.page-owned b').innerText()).toBe('0')
    })

    it('finds its curves after a reload, and its way back after the server was away', async () => {
      const first = await open(['Hello.'], { hash: '#live' })
      const { page } = first
      await page.locator('.tiles dd', { hasText: 'of 8' }).waitFor()
      const port = Number(new URL(first.url).port)
      await page.waitForTimeout(800)
      await page.reload()
      await page.locator('.tiles dd', { hasText: 'of 8' }).waitFor()
      await first.server.close()
      await page.locator('.problem', { hasText: 'cannot be reached' }).waitFor()
      await serving(['Hello.'], { port, model: { maxSequences: 5 } })
      await page.locator('.tiles dd', { hasText: 'of 5' }).waitFor()
      expect(await page.locator('.problem').isVisible()).toBe(false)
      expected(/Failed to load resource/)
    })
  })

  describe('policy', () => {
    it('lets the page make no markup of strings and talk to nobody else', async () => {
      const { page } = await open([])
      const outcome = await page.evaluate(`(async () => {
        const attempt = (action) => {
          try {
            action()
            return 'done'
          } catch (error) {
            return error.name
          }
        }
        const script = () => Object.assign(document.createElement('script'), { text: 'globalThis.hacked = 1' })
        return {
          markup: attempt(() => { document.body.innerHTML = '<b>hi</b>' }),
          script: attempt(() => document.body.append(script())),
          elsewhere: await fetch('https://example.invalid/').then(() => 'done', () => 'refused'),
        }
      })()`)
      expect(outcome).toEqual({ markup: 'TypeError', script: 'TypeError', elsewhere: 'refused' })
      expected(/Content Security Policy|TrustedHTML|TrustedScript/)
    })
  })
})

/** How many colours a canvas has. */
function colours(canvas: { width: number; height: number; getContext?: unknown }): number {
  const context = (canvas as unknown as { getContext(kind: string): Context2d }).getContext('2d')
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
  const seen = new Set<number>()
  for (let i = 0; i < data.length; i += 4) seen.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!)
  return seen.size
}

interface Context2d {
  getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray }
}

// The page at `/` in Chromium: what people do in a chat, what they see of the engine, and what nobody can do to them.
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { serving } from './client.ts'
import { answered, ask, expected, open, withBrowser } from './page.ts'

const path = chromiumPath()
const words = (count: number) => Array.from({ length: count }, (_, i) => `word${i}`).join(' ')

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
      await page.reload()
      await page.locator('#model', { hasText: 'scripted' }).waitFor()
      expect(await field.isVisible()).toBe(false)
      expected(/status of 401/)
    })
  })

  describe('text of a model', () => {
    it('is rendered as Markdown', async () => {
      const { page } = await open([MARKDOWN])
      await ask(page, 'Show')
      await answered(page)
      const html = await page.locator('.prose').evaluate((element) => {
        for (const button of element.querySelectorAll('button')) button.remove()
        return element.innerHTML.replace(/ (?:target|rel|tabindex)="[^"]*"/g, '')
      })
      expect(html).toBe(RENDERED)
    })

    it('stays text, whatever it says', async () => {
      const { page } = await open([HOSTILE])
      await ask(page, '<img src=x onerror=alert(1)>')
      await answered(page)
      const prose = page.locator('.prose')
      expect(await prose.locator('img, script, iframe, svg:not(.icon), style, form, object').count()).toBe(0)
      expect(await prose.innerText()).toContain('<script>alert(2)</script>')
      expect(await prose.innerText()).toContain('<img src="https://evil.invalid/a.png" onerror="alert(3)">')
      expect(await page.locator('.said').innerText()).toBe('<img src=x onerror=alert(1)>')
      expect(await prose.locator('a').evaluateAll((all) => all.map((a) => a.getAttribute('href')))).toEqual([
        'https://evil.invalid/a.png', // an address in a text, like any other
        'https://evil.invalid/tracker.png',
        'https://example.org/ok',
      ])
      expect(await page.evaluate(`'hacked' in globalThis`)).toBe(false)
    })

    it.each(['*a ', '[', '> ', '- ', '`', '**_', '| ', '#', '1. x\n  ', '![](', '~~~\n', '<http://'])(
      'is shown however long %j is repeated',
      async (part) => {
        const { page } = await open([[part.repeat(20_000), ' end']])
        await ask(page, 'Go')
        expect(await answered(page)).toContain('end')
      },
    )
  })

  describe('look and reach', () => {
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
      for (const name of ['Chat', 'Live', 'Settings', 'New conversation', 'Message', 'Send'])
        expect(seen).toContain(name)
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
      expect(await page.getByRole('group', { name: 'Interactive' }).locator('.kept').first().innerText()).toBe(
        '100 % ≤ 1.0 s',
      )
      await expect.poll(async () => Number(await page.locator('.key.page-cached b').innerText())).toBeGreaterThan(0)
      expect(await page.locator('.key.page-owned b').innerText()).toBe('0')
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

describe('files of the page', () => {
  it('come compressed, with a policy, and not twice', async () => {
    const { url } = await serving([])
    const names = ['/', '/page/main.js', '/page/theme.js', '/page/page.css', '/page/icon.svg']
    let bytes = 0
    for (const name of names) {
      const plain = await fetch(url + name, { headers: { 'accept-encoding': 'identity' } })
      expect(plain.status, name).toBe(200)
      expect(plain.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /)
      expect(plain.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|http/)
      expect(plain.headers.get('x-content-type-options')).toBe('nosniff')
      const text = await plain.text()
      if (/\.(js|css)$/.test(name)) bytes += text.length
      expect(text).not.toMatch(/(src|href|url\(|import)\s*[=(]?\s*["']?https?:/)
      const etag = plain.headers.get('etag')!
      const again = await fetch(url + name, { headers: { 'if-none-match': etag } })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
    expect(bytes).toBeLessThan(66_000)
  })

  it('are compressed for who can read that', async () => {
    const { url } = await serving([])
    const { request } = await import('node:http')
    const body = await new Promise<Buffer>((resolve, reject) => {
      request(`${url}/page/main.js`, { headers: { 'accept-encoding': 'br, gzip' } }, async (response) => {
        expect(response.headers['content-encoding']).toBe('gzip')
        resolve(Buffer.concat(await response.toArray()))
      })
        .on('error', reject)
        .end()
    })
    expect(gunzipSync(body).toString()).toContain('kvasir.conversations')
  })

  it('are nothing outside their folder', async () => {
    const { url } = await serving([])
    for (const name of ['/page/', '/page/..%2findex.js', '/page/%2e%2e/index.js', '/page/wire.js', '/page/main.js.map'])
      expect((await fetch(url + name)).status, name).toBe(404)
  })

  it('are not there where nobody wants them', async () => {
    const { url } = await serving([], { page: false })
    for (const name of ['/', '/page/main.js', '/live']) expect((await fetch(url + name)).status, name).toBe(404)
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

const MARKDOWN = `# Title #

A **bold** and *slanted* text with \`code\`, ~~gone~~, snake_case_name, 2 * 3 * 4 and ***both***.
A new line, a [link](https://example.org/a_(b)) and https://example.org/x.

- one
- two
  - nested **b**
    continued

1. first

2. second
3) other list

7. starts late

- [x] done
- [ ] open

> quoted
> - item

| a | b |
|:--|--:|
| 1 | \\| |

---

\`\`\`ts
const a: string = 'x' // <b>
\`\`\`

\\*not slanted\\* and * alone`

const RENDERED = [
  '<h3>Title</h3>',
  '<p>A <strong>bold</strong> and <em>slanted</em> text with <code>code</code>, <del>gone</del>, snake_case_name, ',
  '2 * 3 * 4 and <strong><em>both</em></strong>.<br>',
  'A new line, a <a href="https://example.org/a_(b)">link</a> and <a href="https://example.org/x">https://example.org/x</a>.</p>',
  '<ul><li>one</li><li>two<ul><li>nested <strong>b</strong><br>continued</li></ul></li></ul>',
  '<ol><li><p>first</p></li><li><p>second</p></li><li><p>other list</p></li><li><p>starts late</p></li></ol>',
  '<ul><li class="task"><input type="checkbox" disabled="" checked="">done</li>',
  '<li class="task"><input type="checkbox" disabled="">open</li></ul>',
  '<blockquote><p>quoted</p><ul><li>item</li></ul></blockquote>',
  '<div class="table"><table><thead><tr><th>a</th><th class="right">b</th></tr></thead>',
  '<tbody><tr><td>1</td><td class="right">|</td></tr></tbody></table></div>',
  '<hr>',
  '<figure class="code"><figcaption><span>ts</span></figcaption><pre><code><span class="k">const</span> a: ',
  '<span class="k">string</span> = <span class="s">\'x\'</span> <span class="c">// &lt;b&gt;</span></code></pre></figure>',
  '<p>*not slanted* and * alone</p>',
].join('')

const HOSTILE = `<script>alert(2)</script>
<img src="https://evil.invalid/a.png" onerror="alert(3)">
![pixel](https://evil.invalid/tracker.png)
[click](javascript:globalThis.hacked=1) [data](data:text/html,<script>alert(4)</script>) [vb]( vbscript:x )
[ok](https://example.org/ok "t")
<iframe src="javascript:alert(5)"></iframe><svg onload=alert(6)><style>*{display:none}</style>

\`\`\`html"><img src=x onerror=alert(7)>
</code></pre><script>alert(8)</script>
\`\`\`

| <img src=x onerror=alert(9)> | b |
|---|---|
| <b onclick=alert(10)>x</b> | \`<i>\` |`

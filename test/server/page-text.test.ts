// What models write, on the page in Chromium: Markdown, and nothing but text where it is anything else.
import { describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { answered, ask, open, withBrowser } from './page.ts'

const path = chromiumPath()

describe.skipIf(!path)('text of a model on the page', () => {
  withBrowser(path!)

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

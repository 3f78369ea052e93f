// Builds the page of `kvasir serve` into dist/server/page: one module, one style sheet, the HTML and the icon.
const { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const from = join(__dirname, '../lib/server/page')
const to = join(__dirname, '../dist/server/page')
const STYLES = ['base.css', 'chat.css', 'prose.css', 'live.css']

async function script(name, format) {
  const { rolldown } = await import('rolldown')
  const bundle = await rolldown({ input: join(from, name), platform: 'browser' })
  await bundle.write({ file: join(to, name.replace('.ts', '.js')), format, minify: true })
  await bundle.close()
}

// Without comments, and with no more space than it takes.
const squeeze = (css) =>
  css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};]) ?/g, '$1')
    .replace(/([:,]) /g, '$1')
    .replace(/;}/g, '}')

async function main() {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  await script('theme.ts', 'iife')
  await script('main.ts', 'es')
  const styles = STYLES.map((name) => readFileSync(join(from, name), 'utf8'))
  writeFileSync(join(to, 'page.css'), squeeze(styles.join('')))
  for (const name of ['index.html', 'icon.svg']) cpSync(join(from, name), join(to, name))
}

void main()

// A text of a model on the page. It grows token by token, so only the blocks whose text has changed are made anew: those
// above stay, with what the reader has selected or scrolled in them.
import { type Block, parse } from './blocks.ts'
import { copyButton, h } from './dom.ts'
import { highlight } from './highlight.ts'
import { inline } from './inline.ts'

export class Markdown {
  readonly element = h('div', { class: 'prose' })
  private shown: string[] = []

  show(text: string): void {
    const sources = parse(text)
    let same = 0
    while (same < sources.length && this.shown[same] === sources[same]!.raw) same++
    while (this.element.children.length > same) this.element.lastElementChild!.remove()
    for (const { block } of sources.slice(same)) this.element.append(render(block))
    this.shown = sources.map(({ raw }) => raw)
  }
}

function render(block: Block): HTMLElement {
  switch (block.type) {
    case 'paragraph':
      return written('p', block.text)
    case 'heading':
      // The page has its own h1 and h2.
      return written(`h${Math.min(6, block.level + 2)}` as 'h3', block.text)
    case 'code':
      return codeBlock(block.text, block.language)
    case 'quote':
      return h('blockquote', {}, ...block.blocks.map(render))
    case 'list':
      return list(block)
    case 'table':
      return table(block)
    case 'rule':
      return h('hr')
  }
}

function written(tag: 'p' | 'h3' | 'th' | 'td' | 'li', text: string): HTMLElement {
  const element = h(tag)
  inline(text, element)
  return element
}

function codeBlock(text: string, language: string): HTMLElement {
  const code = h('code', {}, ...highlight(text, language))
  return h(
    'figure',
    { class: 'code' },
    h(
      'figcaption',
      {},
      h('span', {}, language || 'text'),
      copyButton('Copy the code', () => text),
    ),
    h('pre', { tabindex: 0 }, code),
  )
}

function list({ start, items, loose }: Block & { type: 'list' }): HTMLElement {
  const element = start === undefined ? h('ul') : h('ol', start === 1 ? {} : { start })
  for (const blocks of items) {
    const [first, ...rest] = blocks
    const task = first?.type === 'paragraph' ? /^\[([ xX])\][ \t]+/.exec(first.text) : null
    const item = h('li', task ? { class: 'task' } : {})
    if (task) item.append(h('input', { type: 'checkbox', disabled: true, checked: task[1] !== ' ' }))
    if (first?.type === 'paragraph' && !loose) inline(task ? first.text.slice(task[0].length) : first.text, item)
    else if (first) item.append(render(first))
    item.append(...rest.map(render))
    element.append(item)
  }
  return element
}

function table({ align, rows: [head, ...body] }: Block & { type: 'table' }): HTMLElement {
  const row = (tag: 'th' | 'td', cells: string[]) => {
    const made = align.map((side, i) => {
      const cell = written(tag, cells[i] ?? '')
      if (side !== 'left') cell.className = side
      return cell
    })
    return h('tr', {}, ...made)
  }
  return h(
    'div',
    { class: 'table', tabindex: 0 },
    h('table', {}, h('thead', {}, row('th', head!)), h('tbody', {}, ...body.map((cells) => row('td', cells)))),
  )
}

// A little colour for code, the same for all languages: comments, texts, numbers, the usual keywords. Never wrong enough
// to mislead, and no grammar to load.
import { h } from './dom.ts'

const KEYWORDS = new Set(
  (
    'abstract and as async await break case catch class const constexpr continue def default defer del do elif else end ' +
    'enum except export extends extern false finally fn for from func function go if impl implements import in ' +
    'interface is lambda let match mod module mut namespace new nil None not null of or override package pass private ' +
    'protected pub public raise return self static struct super switch template then this throw trait true True False ' +
    'try type typedef typename typeof undefined union unsafe until use using var virtual void volatile when where while ' +
    'with yield int float double char bool string long short unsigned signed auto size_t ' +
    'echo fi done esac local'
  ).split(' '),
)
const SQL = new Set(
  (
    'select distinct insert update delete create table view index drop alter add join left right inner outer on group by ' +
    'having order limit offset values into set from where and or not null as case when then else end union all with ' +
    'primary key references default begin commit'
  ).split(' '),
)

const COMMENT: [RegExp, string][] = [
  [/^(py|python|sh|bash|zsh|shell|yaml|yml|toml|ruby|rb|perl|r|dockerfile|make|makefile|ini|conf|nix)$/, '#[^\\n]*'],
  [/^(.*sql|lua|haskell|hs|ada)$/, '--[^\\n]*'],
  [/^(html|xml|svg|vue)$/, '<!--[\\s\\S]*?(?:-->|$)'],
  [/^(css)$/, '/\\*[\\s\\S]*?(?:\\*/|$)'],
  [/^(text|txt|plain|plaintext|output|console|markdown|md)$/, ''],
]
const OTHERS = '//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)'
const TEXT = `"""[\\s\\S]*?(?:"""|$)|'''[\\s\\S]*?(?:'''|$)|"(?:[^"\\\\\\n]|\\\\.)*"?|'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\`?`
const NUMBER = '\\b(?:0[xX][\\da-fA-F_]+|\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?)\\b'
const WORD = '[A-Za-z_$][\\w$]*'
const LONGEST = 50_000

export function highlight(text: string, language: string): Node[] {
  const comment = COMMENT.find(([names]) => names.test(language.toLowerCase()))?.[1] ?? OTHERS
  if (comment === '' || text.length > LONGEST) return [document.createTextNode(text)]
  const pattern = new RegExp(`(${comment})|(${TEXT})|(${NUMBER})|(${WORD})(\\s*\\()?`, 'g')
  const sql = /sql$/i.test(language)
  const nodes: Node[] = []
  let from = 0
  const put = (kind: string, start: number, length: number) => {
    if (start > from) nodes.push(document.createTextNode(text.slice(from, start)))
    nodes.push(h('span', { class: kind }, text.slice(start, start + length)))
    from = start + length
  }
  for (const match of text.matchAll(pattern)) {
    const [all, isComment, isText, isNumber, word, called] = match
    if (isComment) put('c', match.index, all.length)
    else if (isText) put('s', match.index, all.length)
    else if (isNumber) put('n', match.index, all.length)
    else if (word && (sql ? SQL.has(word.toLowerCase()) : KEYWORDS.has(word))) put('k', match.index, word.length)
    else if (word && called) put('f', match.index, word.length)
  }
  nodes.push(document.createTextNode(text.slice(from)))
  return nodes
}

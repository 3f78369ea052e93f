// Fails when a file under lib/ imports from a folder above its own in the order of ARCHITECTURE.md, when anything but
// lib/native.ts loads the addon, or when a source file is longer than 300 lines without saying why.
const { readFileSync, readdirSync, statSync } = require('node:fs')
const { join, dirname, relative, resolve } = require('node:path')

// Imports go down this list, never up. Files directly under lib/ are named with their extension.
const order = [
  'cli',
  'server',
  'index.ts',
  'ai',
  'electron',
  'testing',
  'engine',
  'machine',
  'chat',
  'grammar',
  'tokenizer',
  'simulate',
  'scheduler',
  'sampling',
  'cache',
  'models',
  'hub',
  'weights',
  'compiler',
  'graph',
  'native.ts',
  'asar.ts',
  'files.ts',
  'errors.ts',
]

const root = join(__dirname, '..')
const problems = []

function* walk(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) yield* walk(path)
    else yield path
  }
}

const place = (path) => relative(join(root, 'lib'), path).split('/')[0]

for (const path of walk(join(root, 'lib'))) {
  if (!path.endsWith('.ts') || path.endsWith('.d.ts')) continue
  const source = readFileSync(path, 'utf8')
  const from = order.indexOf(place(path))
  if (from < 0) problems.push(`${relative(root, path)}: its folder is not in the order of scripts/check-imports.cjs`)
  for (const [, target] of source.matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
    const to = order.indexOf(place(resolve(dirname(path), target)))
    if (to < from) problems.push(`${relative(root, path)} imports ${target}, which is above it`)
  }
  if (/node-gyp-build'/.test(source) && !path.endsWith('lib/native.ts'))
    problems.push(`${relative(root, path)} loads the addon; only lib/native.ts may`)
}

for (const folder of ['lib', 'native', 'test', 'bench']) {
  for (const path of walk(join(root, folder))) {
    if (!/\.(ts|cc|h)$/.test(path)) continue
    const source = readFileSync(path, 'utf8')
    const lines = source.split('\n').length - 1
    if (lines > 300 && !/Longer than 300 lines/.test(source))
      problems.push(`${relative(root, path)}: ${lines} lines, and no comment "Longer than 300 lines because …"`)
  }
}

for (const problem of problems) console.error(problem)
process.exit(problems.length ? 1 : 0)

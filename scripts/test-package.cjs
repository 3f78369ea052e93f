// npm run test:package: packs the package, installs it into an empty folder where there is no compiler, and uses it as
// its users do: require, import, types, chat. Then what happens where no prebuilt addon fits, what publint and
// are-the-types-wrong say, and what it weighs beside node-llama-cpp. `-- --source` also builds it from the tarball (needs a
// compiler, minutes).
const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { delimiter, join } = require('node:path')

const root = join(__dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'kvasir-package-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const say = (label, text) => console.log(`${label.padEnd(12)} ${text}`)

function pack() {
  execFileSync('npm', ['run', 'prebuild'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const report = execFileSync('npm', ['pack', '--json', '--pack-destination', work], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, size, unpackedSize, files }] = JSON.parse(report.slice(report.indexOf('[')))
  const names = files.map(({ path }) => path)
  assert.deepEqual(
    names.filter((name) => /^(test|bench|examples|build|node_modules)\//.test(name)),
    [],
    'the package has files that its users do not need',
  )
  assert.ok(
    names.some((name) => name.startsWith(`prebuilds/${process.platform}-${process.arch}/`)),
    'the package has no prebuilt addon for this system',
  )
  for (const name of ['index.html', 'main.js', 'page.css', 'theme.js', 'icon.svg'])
    assert.ok(names.includes(`dist/server/page/${name}`), `the package lacks ${name} of the server's page`)
  assert.ok(size < 15e6, `the tarball has ${mb(size)}, at most 15 MB are wanted`)
  say('tarball', `${mb(size)}, ${mb(unpackedSize)} unpacked, ${names.length} files`)
  return join(work, filename)
}

// A PATH with what npm needs to run an install script, and nothing that compiles.
function bareEnvironment() {
  const bin = join(work, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  for (const tool of ['npm', 'sh']) {
    const folder = process.env.PATH.split(delimiter).find((path) =>
      statSync(join(path, tool), { throwIfNoEntry: false }),
    )
    symlinkSync(join(folder, tool), join(bin, tool))
  }
  return { ...process.env, PATH: bin }
}

function install(name, tarball, env, ...flags) {
  const folder = join(work, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true }')
  const args = ['install', '--foreground-scripts', '--no-audit', '--no-fund', ...flags, tarball]
  const begin = performance.now()
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: folder, env, encoding: 'utf8' })
  assert.equal(status, 0, `npm install failed:\n${stdout}${stderr}`)
  return { folder, output: stdout + stderr, seconds: (performance.now() - begin) / 1000 }
}

function node(folder, env, source, type = 'commonjs') {
  return execFileSync(process.execPath, [`--input-type=${type}`, '-e', source], { cwd: folder, env, encoding: 'utf8' })
}

const chat = `
  const llm = await load(process.env.KVASIR_TEST_MODEL || 'smollm2:135m')
  const { text } = await llm.chat('What is the capital of Norway?', { temperature: 0, maxTokens: 20 })
  await llm.dispose()
  console.log(text)`

function use(folder, env) {
  const required = node(folder, env, `const { load } = require('kvasir');(async () => {${chat}})()`)
  const imported = node(folder, env, `import { load } from 'kvasir'${chat}`, 'module')
  assert.match(required, /Oslo/)
  assert.equal(imported, required)
  say('answers', `${required.trim()} (by require and by import)`)

  const subpaths = Object.keys(require('../package.json').exports).filter((path) => /^\.\/[a-z]+$/.test(path))
  for (const path of subpaths) {
    const spec = join('kvasir', path)
    const names = JSON.parse(node(folder, env, `console.log(JSON.stringify(Object.keys(require('${spec}')).sort()))`))
    const list = names.join(', ')
    assert.ok(names.length > 0, `${spec} exports nothing`)
    node(folder, env, `import { ${list} } from '${spec}'; if ([${list}].includes(undefined)) process.exit(1)`, 'module')
    say(spec, list)
  }
}

function checkTypes(folder) {
  const source = `import { load, KvasirError, type Answer, type Llm } from 'kvasir'
export async function run(): Promise<Answer> {
  const llm: Llm = await load('smollm2:135m', { threads: 2 })
  for await (const piece of llm.chat('Hello')) process.stdout.write(piece.text)
  // @ts-expect-error: a temperature is a number
  llm.generate('', { temperature: 'high' }).abort()
  if (new KvasirError('KV_ABORTED', '').code === 'KV_ABORTED') await llm.dispose()
  return llm.generate('Once', { maxTokens: 3 })
}
`
  for (const name of ['use.mts', 'use.cts']) writeFileSync(join(folder, name), source)
  cpSync(join(root, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'), {
    recursive: true,
  })
  cpSync(join(root, 'node_modules', 'undici-types'), join(folder, 'node_modules', 'undici-types'), { recursive: true })
  const options = {
    module: 'node20',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    noEmit: true,
    types: ['node'],
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['use.mts', 'use.cts'] }),
  )
  run('types', folder, ['typescript/bin/tsc', '-p', 'tsconfig.json'])
}

/** Runs a program of our devDependencies. */
function run(label, cwd, [path, ...args]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', path), ...args], {
    cwd,
    encoding: 'utf8',
  })
  assert.equal(status, 0, `${label}:\n${stdout}${stderr}`)
  say(label, 'clean')
}

// npm_config_arch is what npm and node-gyp-build understand as the processor to install for.
function useWithoutPrebuild(tarball, env) {
  const elsewhere = { ...env, npm_config_arch: 'mips' }
  const { folder, output } = install('elsewhere', tarball, elsewhere)
  const sentences = output.split('\n').filter((line) => line.startsWith('kvasir:'))
  assert.equal(sentences.length, 1, `npm install should say one sentence:\n${output}`)
  const code = node(
    folder,
    elsewhere,
    `require('kvasir').load('smollm2:135m').catch((e) => console.log(e.code))`,
  ).trim()
  assert.equal(code, 'KV_ADDON')
  say('no prebuild', `${sentences[0]} Then ${code}.`)
}

function useFromSource(tarball) {
  const env = { ...process.env, npm_config_build_from_source: '1' }
  const { folder, seconds } = install('source', tarball, env)
  rmSync(join(folder, 'node_modules', 'kvasir', 'prebuilds'), { recursive: true })
  assert.match(node(folder, env, `const { load } = require('kvasir');(async () => {${chat}})()`), /Oslo/)
  say('from source', `built and answers, ${seconds.toFixed(0)} s`)
}

function bytes(path) {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.size
  return readdirSync(path).reduce((sum, name) => sum + bytes(join(path, name)), 0)
}

function peerSizes() {
  for (const name of ['node-llama-cpp@3.22.1', '@node-llama-cpp/linux-x64@3.22.1']) {
    const report = execFileSync('npm', ['pack', '--json', '--pack-destination', work, name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [{ size, unpackedSize }] = JSON.parse(report)
    say('against', `${name} ${mb(size)}, ${mb(unpackedSize)} unpacked`)
  }
}

const tarball = pack()
const bare = bareEnvironment()
const { folder, output, seconds } = install('user', tarball, bare)
assert.ok(!output.includes('kvasir:'), `the prebuilt addon does not work here:\n${output}`)
say('installed', `${mb(bytes(join(folder, 'node_modules')))} with dependencies, in ${seconds.toFixed(1)} s`)
use(folder, bare)
checkTypes(folder)
run('publint', root, ['publint/src/cli.js', tarball, '--strict'])
run('attw', root, ['@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'node16'])
useWithoutPrebuild(tarball, bare)
if (process.argv.includes('--source')) useFromSource(tarball)
peerSizes()

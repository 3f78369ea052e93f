// The tokenizer against @huggingface/tokenizers on English prose: node bench/tokenizer.cjs [NAME…]
// NAME is one of the @lenml/tokenizer-* packages of package.json. Ids must be equal before anything is timed. Load and
// encode are the fastest of the repeats, in wall time; "first" is the first text that a fresh tokenizer sees, with no
// word in its cache.
const { execFileSync } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { cpus } = require('node:os')
const { join } = require('node:path')
const nodeGypBuild = require('node-gyp-build')
const { Tokenizer: Peer } = require('@huggingface/tokenizers')

const root = join(__dirname, '..')
const native = nodeGypBuild(root)
const names = process.argv.length > 2 ? process.argv.slice(2) : ['qwen3', 'llama3', 'deepseek_v3', 'llama2']
const text = readFileSync(join(__dirname, 'data/wikitext-2-test-100k.txt'), 'utf8')
const megabytes = Buffer.byteLength(text) / 1e6
const repeats = 5

async function fastest(times, work) {
  let best = Number.POSITIVE_INFINITY
  let result
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    result = await work()
    best = Math.min(best, performance.now() - start)
  }
  return { ms: best, result }
}

async function measure(name) {
  const path = join(root, `node_modules/@lenml/tokenizer-${name}/models/tokenizer.json`)
  const file = native.openFile(path)
  const load = await fastest(repeats, () => native.createTokenizer({ kind: 'json', file }))
  const peerLoad = await fastest(1, () => new Peer(JSON.parse(readFileSync(path, 'utf8')), {}))
  const first = await fastest(1, () => load.result.encode(text, false, true))
  const peer = await fastest(2, () => peerLoad.result.encode(text, { add_special_tokens: false }).ids)
  if (first.result.join() !== peer.result.join()) throw new Error(`${name}: ids differ from those of the peer`)
  const warm = await fastest(repeats, () => load.result.encode(text, false, true))
  const decode = await fastest(repeats, () => load.result.decode(warm.result, false))
  return {
    'load ms': load.ms,
    'first MB/s': (megabytes / first.ms) * 1e3,
    'encode MB/s': (megabytes / warm.ms) * 1e3,
    'decode MB/s': (megabytes / decode.ms) * 1e3,
    'peer load ms': peerLoad.ms,
    'peer encode MB/s': (megabytes / peer.ms) * 1e3,
  }
}

async function main() {
  const figures = {}
  const table = {}
  for (const name of names) {
    table[name] = {}
    for (const [unit, value] of Object.entries(await measure(name)))
      table[name][unit] = figures[`${name} ${unit}`] = Number(value.toPrecision(3))
  }
  console.table(table)
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  console.log(JSON.stringify({ bench: 'tokenizer', commit, machine: cpus()[0].model, figures }))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})

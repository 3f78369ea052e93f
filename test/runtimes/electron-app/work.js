// What the addon is asked for in both processes: old JavaScript, since the oldest Electron that we run has Node 12.
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know it
const path = require('path')

module.exports = async function work() {
  const native = require(process.env.KVASIR_ADDON)
  const file = native.openFile(path.join(__dirname, '..', '..', 'fixtures', 'tokenizer.json'))
  const tokenizer = await native.createTokenizer({ kind: 'json', file })
  const lists = await Promise.all(
    Array.from({ length: 200 }, () => tokenizer.encode('The quick brown fox', false, false)),
  )
  const texts = new Set(lists.map((ids) => Buffer.from(tokenizer.decode(ids, false)).toString()))
  return {
    isa: native.info().isa,
    ids: Array.from(lists[0]),
    texts: Array.from(texts),
    // Never awaited: the process ends while the addon works.
    leave: () => {
      for (let i = 0; i < 50; i++) tokenizer.encode('word '.repeat(20000), false, false)
    },
  }
}

// The conversation, kept in one file that is replaced as a whole, so that no crash leaves half of it.
const { readFileSync, renameSync, writeFileSync } = require('node:fs')

const SYSTEM = { role: 'system', content: 'You are a helpful assistant. Answer briefly and clearly.' }
const LAST = 20 // messages that the model sees: its context is small

exports.openHistory = function openHistory(path) {
  let messages = read(path)
  const save = () => {
    writeFileSync(`${path}.new`, JSON.stringify(messages))
    renameSync(`${path}.new`, path)
  }
  return {
    get messages() {
      return messages
    },
    push(message) {
      messages.push(message)
      save()
    },
    clear() {
      messages = []
      save()
    },
    /** What the model is told: no empty answers, no notes. */
    forModel() {
      const said = messages.filter(({ content }) => content !== '').slice(-LAST)
      return [SYSTEM, ...said.map(({ role, content }) => ({ role, content }))]
    },
  }
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return [] // the first start, or a file that somebody broke
  }
}

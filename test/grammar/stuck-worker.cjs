// Stands in for lib/grammar/worker.ts: never gets done with a regular expression, and has one word for everything else.
const { parentPort } = require('node:worker_threads')

parentPort.on('message', (format) => {
  while (format.includes('regex'));
  parentPort.postMessage({ words: Int32Array.of(7) })
})
parentPort.postMessage('ready')

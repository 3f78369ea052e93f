// Required first in an Electron with Node 12 (the only one in a package registry): what newer ones bring along.
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know it
const Module = require('module')
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know it
const { performance } = require('perf_hooks')

global.performance = global.performance || performance

const resolve = Module._resolveFilename
Module._resolveFilename = function (request, ...rest) {
  // Neither 'node:' nor the "exports" of a package.json are known there.
  if (request === 'kvasir/electron') return resolve.call(this, 'kvasir/dist/electron/index.js', ...rest)
  return resolve.call(this, request.replace(/^node:/, ''), ...rest)
}

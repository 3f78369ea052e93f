import { expect, it } from 'vitest'
import { unpackedPath } from '../../lib/asar.ts'

it.each([
  ['/opt/chat/resources/app.asar/node_modules/kvasir', '/opt/chat/resources/app.asar.unpacked/node_modules/kvasir'],
  ['C:\\chat\\resources\\app.asar\\model.gguf', 'C:\\chat\\resources\\app.asar.unpacked\\model.gguf'],
  ['/opt/app.asar.unpacked/node_modules/kvasir', '/opt/app.asar.unpacked/node_modules/kvasir'],
  ['/home/me/app.asar', '/home/me/app.asar'],
  ['/home/me/my.asarium/kvasir', '/home/me/my.asarium/kvasir'],
  ['/home/me/kvasir', '/home/me/kvasir'],
])('%s is opened as %s', (path, expected) => {
  expect(unpackedPath(path)).toBe(expected)
})

// kvasir/electron: load() of 'kvasir', with the model in a process of its own, so that neither its work nor a crash can
// freeze or close a window. Made for Electron's main process; works in plain Node too.
//
//   const { load } = require('kvasir/electron')
//   const llm = await load('smollm2:135m', { onProgress: ({ done, total }) => bar(done / total) })
//   for await (const piece of llm.chat('Why is the sky blue?')) window.webContents.send('piece', piece.text)
//
// Pack the app with asarUnpack: ['**/node_modules/kvasir/prebuilds/**'].
import { signalOf } from '../sampling/check.ts'
import { RemoteLlm, type RemoteOptions } from './remote-llm.ts'

export { unpackedPath } from '../asar.ts'
export { KvasirError } from '../errors.ts'
export type { HostMemory, RemoteLlm, RemoteOptions } from './remote-llm.ts'

/** As load() of 'kvasir', in a child process. Rejects with KV_HOST when that process ends before the model is loaded. */
export async function load(spec: string, options: RemoteOptions = {}): Promise<RemoteLlm> {
  const llm = new RemoteLlm(spec, options)
  await llm.start(signalOf(options.signal))
  return llm
}

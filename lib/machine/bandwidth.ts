// How fast this machine reads memory, which is what a token of one conversation costs: measured once and kept in the cache
// folder. Who cannot write there measures every time.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { modelFolder } from '../hub/cache.ts'
import { native } from '../native.ts'
import type { Machine } from './machine.ts'

const bandwidthFile = (): string => join(dirname(modelFolder()), 'machine.json')

/** Bytes a second of `threads` together. */
export async function memoryBandwidth(
  { cpu, memory }: Pick<Machine, 'cpu' | 'memory'>,
  threads: number,
): Promise<number> {
  const path = bandwidthFile()
  const key = `${cpu}, ${memory} bytes, ${threads} threads` // the folder may be shared, and machines change
  const known = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(() => ({}))
  const kept = known?.bandwidth?.[key]
  if (typeof kept === 'number' && kept > 0) return kept
  const found = Math.round(await native().memoryBandwidth(threads))
  const text = JSON.stringify({ ...known, bandwidth: { ...known?.bandwidth, [key]: found } }, null, 2)
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.${process.pid}`, text)
    await rename(`${path}.${process.pid}`, path)
  } catch {} // told again next time
  return found
}

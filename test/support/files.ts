// A folder of small files, as the kernel makes them up under /proc and /sys.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { temporaryFolder } from './temporary.ts'

/** A root with these files. */
export function files(contents: Record<string, string>): string {
  const root = temporaryFolder()
  write(root, contents)
  return root
}

export function write(root: string, contents: Record<string, string>): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${text}\n`)
  }
}

// GGUF string tables in a file of their own, for tests.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { native, type StringTable, type TokenizerSource } from '../../lib/native.ts'

export function stringTable(strings: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = strings.flatMap((string) => {
    const bytes = Buffer.from(string)
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(bytes.length))
    return [size, bytes]
  })
  return Buffer.concat(parts)
}

let files = 0

/** Writes two tables to a file of `folder`; what it returns is what a GGUF reader would pass. */
export function tablesFile(
  folder: string,
  tokens: Uint8Array,
  tokenCount: number,
  merges: Uint8Array = new Uint8Array(),
  mergeCount = 0,
): Pick<TokenizerSource, 'file' | 'tokens' | 'merges'> {
  const path = join(folder, `${files++}.tables`)
  const lead = 24 // a table does not begin its file
  writeFileSync(path, Buffer.concat([new Uint8Array(lead), tokens, merges]))
  const place = (offset: number, count: number, bytes: number): StringTable => ({ offset, count, bytes })
  return {
    file: native().openFile(path),
    tokens: place(lead, tokenCount, tokens.length),
    merges: place(lead + tokens.length, mergeCount, merges.length),
  }
}

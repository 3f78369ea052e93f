// Small files that a kernel makes up when they are read: they take no disk, so they are read where they are needed.
import { readFileSync } from 'node:fs'

export function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** The number in a file; NaN where there is none. */
export const value = (path: string): number => Number(text(path) ?? Number.NaN)

/** The number in a line `name 123` or `name: 123 kB` of a table; NaN where there is none. */
export const field = (table: string | undefined, name: string): number =>
  Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(table ?? '')?.[1] ?? Number.NaN)

// What loading a model takes of node:fs/promises, which would bring streams, readline and a megabyte into a process that
// may want none of them.
import * as fs from 'node:fs'
import { promisify } from 'node:util'

export const access = promisify(fs.access)
export const mkdir = promisify(fs.mkdir)
export const readdir = promisify(fs.readdir)
export const readFile = promisify(fs.readFile)
export const stat = promisify(fs.stat)

const open = promisify(fs.open)
const read = promisify(fs.read)
const fstat = promisify(fs.fstat)
const close = promisify(fs.close)

export const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/** A file that is read at places. Nobody closes it but its user. */
export class ReadableFile {
  private constructor(private readonly fd: number) {}

  static async open(path: string): Promise<ReadableFile> {
    return new ReadableFile(await open(path, 'r'))
  }

  async size(): Promise<number> {
    return (await fstat(this.fd)).size
  }

  /** How many bytes came; 0 at the end of the file. */
  async read(into: Uint8Array, at: number, length: number, position: number): Promise<number> {
    return (await read(this.fd, into, at, length, position)).bytesRead
  }

  close(): Promise<void> {
    return close(this.fd)
  }
}

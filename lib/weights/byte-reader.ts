// Reads a file front to back in chunks, so that a header of megabytes costs neither a copy of itself nor a long stop
// of the event loop. Little-endian. Every read is checked against the size of the file.
import { fromNative, KvasirError } from '../errors.ts'
import { ReadableFile } from '../files.ts'
import { type NativeFile, native } from '../native.ts'

const CHUNK = 64 * 1024

/** Opens a file for reading; KV_NOT_FOUND or KV_DISK when that fails. */
export async function openForReading(path: string): Promise<ReadableFile> {
  try {
    return await ReadableFile.open(path)
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new KvasirError(missing ? 'KV_NOT_FOUND' : 'KV_DISK', `cannot open ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** Fills `bytes` from `offset` of the file. */
export async function readExactly(file: ReadableFile, path: string, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const bytesRead = await file.read(bytes, done, bytes.length - done, offset + done)
    if (bytesRead === 0)
      throw new KvasirError('KV_FORMAT', `${path} ends at byte ${offset + done}, before its own tables`)
    done += bytesRead
  }
}

export class ByteReader {
  /** Of the next byte to read. */
  position = 0
  private chunk = Buffer.allocUnsafe(CHUNK)
  private bytes = this.chunk.subarray(0, 0)
  private start = 0
  private map: NativeFile | undefined

  constructor(
    private readonly file: ReadableFile,
    readonly path: string,
    readonly size: number,
  ) {}

  /** Bytes that can be taken without `need`. Negative after a skip past the chunk. */
  get buffered(): number {
    return this.start + this.bytes.length - this.position
  }

  /** Makes the next `count` bytes available. `what` names them in the error of a file that ends too early. */
  async need(count: number, what: string): Promise<void> {
    if (count <= this.buffered) return
    this.inside(count, what)
    const length = Math.min(Math.max(count, CHUNK), this.size - this.position)
    if (length > this.chunk.length) this.chunk = Buffer.allocUnsafe(length)
    const bytes = this.chunk.subarray(0, length)
    await readExactly(this.file, this.path, bytes, this.position)
    this.bytes = bytes
    this.start = this.position
  }

  /** Throws unless `count` more bytes lie inside the file. */
  inside(count: number, what: string): void {
    if (count > this.size - this.position)
      throw new KvasirError(
        'KV_FORMAT',
        `${this.path}: ${what} at byte ${this.position} needs ${count} bytes, but the file ends at ${this.size}: it is damaged or cut short, download it again`,
      )
  }

  u32(): number {
    const value = this.bytes.readUInt32LE(this.position - this.start)
    this.position += 4
    return value
  }

  /** A 64-bit count, length or offset. Beyond 2⁵³ it comes back rounded, which no bounds check lets through. */
  u64(): number {
    const at = this.position - this.start
    this.position += 8
    return this.bytes.readUInt32LE(at + 4) * 2 ** 32 + this.bytes.readUInt32LE(at)
  }

  /** A view that the next `need` overwrites. */
  take(count: number): Buffer {
    const at = this.position - this.start
    this.position += count
    return this.bytes.subarray(at, at + count)
  }

  /** Moves past `count` bytes without reading them. */
  skip(count: number, what: string): void {
    this.inside(count, what)
    this.position += count
  }

  /**
   * Moves past `count` strings, each a 64-bit length and its bytes. A vocabulary has 100,000 of them: native code looks
   * at the lengths, off the event loop.
   */
  async skipStrings(count: number, what: string): Promise<void> {
    try {
      this.map ??= native().openFile(this.path)
      this.position = await this.map.skipStrings(this.position, count)
    } catch (cause) {
      const error = fromNative(cause)
      if (!(error instanceof KvasirError)) throw error
      throw new KvasirError(error.code, `${this.path}: ${what}: ${error.message}`, { cause })
    }
  }

  /** Gives back what skipStrings() mapped. */
  close(): void {
    this.map?.close()
  }
}

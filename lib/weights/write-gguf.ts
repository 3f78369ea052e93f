// Writes GGUF version 3. Sizes are known before values are, so the header goes first and tensors are streamed after
// it. The file appears under its name only when it is whole.
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { KvasirError } from '../errors.ts'
import { bytesOf, FORMATS, type WeightDtype } from './formats.ts'
import { type GgufBytes, rawString, u32le, u64le } from './gguf-values.ts'

const ALIGNMENT = 32

export interface TensorPlan {
  name: string
  dtype: WeightDtype
  /** Rows first. */
  shape: readonly number[]
}

export class GgufWriter {
  private position = 0
  private next = 0
  private written = 0

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly tensors: readonly TensorPlan[],
  ) {}

  /** Writes the header. Metadata must not set general.alignment: it is 32. */
  static async create(
    path: string,
    metadata: ReadonlyMap<string, GgufBytes>,
    tensors: readonly TensorPlan[],
  ): Promise<GgufWriter> {
    const file = await open(`${path}.part`, 'w').catch((cause) => {
      throw new KvasirError('KV_DISK', `cannot write ${path}: ${cause.message}`, { cause })
    })
    const writer = new GgufWriter(path, file, tensors)
    try {
      await writer.put(Buffer.concat([Buffer.from('GGUF'), u32le(3), u64le(tensors.length), u64le(metadata.size)]))
      for (const [key, value] of metadata) await writer.put(Buffer.concat([rawString(key), value]))
      let offset = 0
      for (const { name, dtype, shape } of tensors) {
        const dimensions = [...shape].reverse().map(u64le)
        const place = [u32le(FORMATS[dtype].ggml), u64le(offset)]
        await writer.put(Buffer.concat([rawString(name), u32le(shape.length), ...dimensions, ...place]))
        offset = align(offset + bytesOf(dtype, shape))
      }
      await writer.pad()
      return writer
    } catch (error) {
      await writer.discard()
      throw error
    }
  }

  /** Appends bytes of the current tensor; tensors come in the order of the plan, each whole. */
  async write(bytes: Uint8Array): Promise<void> {
    const tensor = this.tensors[this.next]
    if (!tensor) throw new KvasirError('KV_ARGUMENT', `${this.path}: all ${this.tensors.length} tensors are written`)
    const size = bytesOf(tensor.dtype, tensor.shape)
    if (this.written + bytes.length > size)
      throw new KvasirError('KV_ARGUMENT', `${this.path}: ${tensor.name} has ${size} bytes, got more`)
    await this.put(bytes)
    this.written += bytes.length
    if (this.written < size) return
    this.written = 0
    this.next++
    await this.pad()
  }

  /** Gives the file its name, or leaves nothing behind. */
  async finish(): Promise<void> {
    try {
      if (this.next < this.tensors.length)
        throw new KvasirError(
          'KV_ARGUMENT',
          `${this.path}: ${this.next} of ${this.tensors.length} tensors were written`,
        )
      await this.file.sync()
      await this.file.close()
      await rename(`${this.path}.part`, this.path)
    } catch (cause) {
      await this.discard()
      if (cause instanceof KvasirError) throw cause
      throw new KvasirError('KV_DISK', `cannot write ${this.path}: ${(cause as Error).message}`, { cause })
    }
  }

  /** Gives up and leaves nothing behind. */
  async discard(): Promise<void> {
    await this.file.close().catch(() => {}) // closed already
    await rm(`${this.path}.part`, { force: true })
  }

  private async put(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.file.write(bytes, done, bytes.length - done, this.position + done)).bytesWritten
      }
    } catch (cause) {
      throw new KvasirError('KV_DISK', `cannot write ${this.path}: ${(cause as Error).message}`, { cause })
    }
    this.position += bytes.length
  }

  private pad(): Promise<void> {
    return this.put(new Uint8Array(align(this.position) - this.position))
  }
}

const align = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT

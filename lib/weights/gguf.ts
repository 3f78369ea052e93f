// The header of a GGUF file, versions 2 and 3: metadata and where each tensor lies. Only the header is read, and of
// arrays only their place: a vocabulary stays in the file. The file is not trusted: every count, length, offset and
// type is checked before it is used.
// Specification: docs/gguf.md of the ggml repository.
import { KvasirError } from '../errors.ts'
import type { StringTable } from '../native.ts'
import { ByteReader, openForReading } from './byte-reader.ts'
import { bytesOf, dtypeOfGgml, FORMATS, type WeightDtype } from './formats.ts'

/** Numbers of GGUF's value types. */
export const GgufType = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const

const SCALAR_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}
const MAX_KEY = 65_535
const MAX_STRING = 16 * 2 ** 20
const MAX_DIMENSIONS = 4
const MAX_ALIGNMENT = 2 ** 20

/** An array left in the file. */
export interface GgufArray extends StringTable {
  /** Type number of its elements. */
  of: number
}

export interface GgufEntry {
  type: number
  value: number | boolean | string | GgufArray
  /** Where type and value lie in the file, so that they can be copied as they are. */
  offset: number
  bytes: number
}

export interface GgufTensor {
  name: string
  dtype: WeightDtype
  /** Rows first, as in Hugging Face checkpoints; the file has them the other way round. */
  shape: number[]
  /** From the start of the file. */
  offset: number
  bytes: number
}

export interface GgufHeader {
  path: string
  size: number
  version: number
  alignment: number
  metadata: Map<string, GgufEntry>
  tensors: GgufTensor[]
}

/** Reads the header of the GGUF file at `path`. */
export async function readGguf(path: string): Promise<GgufHeader> {
  const file = await openForReading(path)
  let reader: ByteReader | undefined
  try {
    reader = new ByteReader(file, path, await file.size())
    return await parse(reader)
  } finally {
    reader?.close()
    await file.close()
  }
}

async function parse(reader: ByteReader): Promise<GgufHeader> {
  const { path, size } = reader
  await reader.need(24, 'the GGUF header')
  const magic = reader.take(4).toString('latin1')
  if (magic !== 'GGUF')
    throw new KvasirError(
      'KV_FORMAT',
      `${path} begins with ${JSON.stringify(magic)}, not with "GGUF": it is no GGUF file`,
    )
  const version = reader.u32()
  if (version !== 2 && version !== 3)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${path} is GGUF version ${version}${version > 0xffff ? ' (big-endian)' : ''}; Kvasir reads versions 2 and 3, little-endian`,
    )
  const tensorCount = reader.u64()
  const entryCount = reader.u64()

  const metadata = new Map<string, GgufEntry>()
  for (let i = 0; i < entryCount; i++) {
    const key = await string(reader, MAX_KEY, 'a metadata key')
    if (metadata.has(key)) throw new KvasirError('KV_FORMAT', `${path} has the metadata key ${key} twice`)
    metadata.set(key, await entry(reader, key))
  }
  const alignment = metadata.get('general.alignment')?.value ?? 32
  if (!isAlignment(alignment))
    throw new KvasirError('KV_FORMAT', `${path}: general.alignment is ${alignment}, expected a power of two to 2^20`)

  const tensors: GgufTensor[] = []
  for (let i = 0; i < tensorCount; i++) tensors.push(await tensor(reader, alignment))
  const data = Math.ceil(reader.position / alignment) * alignment
  for (const t of tensors) t.offset += data
  checkTensors(path, size, tensors)
  return { path, size, version, alignment, metadata, tensors }
}

function isAlignment(value: GgufEntry['value']): value is number {
  return (
    Number.isInteger(value) &&
    Number(value) >= 1 &&
    Number(value) <= MAX_ALIGNMENT &&
    Number.isInteger(Math.log2(Number(value)))
  )
}

async function string(reader: ByteReader, limit: number, what: string): Promise<string> {
  await reader.need(8, what)
  const length = reader.u64()
  if (length > limit)
    throw new KvasirError('KV_FORMAT', `${reader.path}: ${what} is ${length} bytes long, expected at most ${limit}`)
  await reader.need(length, what)
  return reader.take(length).toString('utf8')
}

async function entry(reader: ByteReader, key: string): Promise<GgufEntry> {
  const offset = reader.position
  await reader.need(4, key)
  const type = reader.u32()
  let value: GgufEntry['value']
  if (type === GgufType.string) value = await string(reader, MAX_STRING, key)
  else if (type === GgufType.array) value = await array(reader, key)
  else {
    await reader.need(scalarBytes(reader, type, key), key)
    value = scalar(type, reader.take(SCALAR_BYTES[type]!))
  }
  return { type, value, offset, bytes: reader.position - offset }
}

function scalarBytes(reader: ByteReader, type: number, key: string): number {
  const bytes = SCALAR_BYTES[type]
  if (!bytes) throw new KvasirError('KV_FORMAT', `${reader.path}: ${key} has value type ${type}, expected 0 to 12`)
  return bytes
}

function scalar(type: number, bytes: Buffer): number | boolean {
  switch (type) {
    case GgufType.u8:
      return bytes.readUInt8()
    case GgufType.i8:
      return bytes.readInt8()
    case GgufType.u16:
      return bytes.readUInt16LE()
    case GgufType.i16:
      return bytes.readInt16LE()
    case GgufType.u32:
      return bytes.readUInt32LE()
    case GgufType.i32:
      return bytes.readInt32LE()
    case GgufType.f32:
      return bytes.readFloatLE()
    case GgufType.bool:
      return bytes.readUInt8() !== 0
    case GgufType.u64:
      return Number(bytes.readBigUInt64LE())
    case GgufType.i64:
      return Number(bytes.readBigInt64LE())
    default:
      return bytes.readDoubleLE()
  }
}

async function array(reader: ByteReader, key: string): Promise<GgufArray> {
  await reader.need(12, key)
  const of = reader.u32()
  const count = reader.u64()
  const offset = reader.position
  if (of === GgufType.array)
    throw new KvasirError('KV_UNSUPPORTED', `${reader.path}: ${key} is an array of arrays, which no known key is`)
  if (of === GgufType.string) {
    reader.inside(count * 8, key)
    await reader.skipStrings(count, key)
  } else {
    reader.skip(count * scalarBytes(reader, of, key), key)
  }
  return { of, count, offset, bytes: reader.position - offset }
}

/** Name, shape and type of a tensor; its offset still counts from the start of the data. */
async function tensor(reader: ByteReader, alignment: number): Promise<GgufTensor> {
  const fail = (message: string) => new KvasirError('KV_FORMAT', `${reader.path}: tensor ${name} ${message}`)
  const name = await string(reader, MAX_KEY, 'a tensor name')
  await reader.need(4, name)
  const dimensions = reader.u32()
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) throw fail(`has ${dimensions} dimensions, expected 1 to 4`)
  await reader.need(dimensions * 8 + 12, name)
  const shape = Array.from({ length: dimensions }, () => reader.u64()).reverse()
  const dtype = dtypeOfGgml(reader.u32(), name)
  const offset = reader.u64()

  const count = shape.reduce((product, size) => product * size, 1)
  if (!(count >= 1 && count <= 2 ** 50))
    throw fail(`has shape ${shape.join(' × ')}, which holds no sensible number of values`)
  const { values } = FORMATS[dtype]
  if (shape.at(-1)! % values !== 0)
    throw fail(`has rows of ${shape.at(-1)} values, which are not whole ${dtype} blocks of ${values}`)
  if (offset % alignment !== 0) throw fail(`begins at ${offset}, which is not a multiple of the alignment ${alignment}`)
  return { name, dtype, shape, offset, bytes: bytesOf(dtype, shape) }
}

/** Inside the file, no two alike, no two on the same bytes. */
function checkTensors(path: string, size: number, tensors: GgufTensor[]): void {
  const names = new Set<string>()
  let end = 0
  let before = ''
  for (const { name, offset, bytes } of tensors.toSorted((a, b) => a.offset - b.offset)) {
    if (names.has(name)) throw new KvasirError('KV_FORMAT', `${path} has the tensor ${name} twice`)
    if (offset < end)
      throw new KvasirError('KV_FORMAT', `${path}: tensors ${before} and ${name} overlap at byte ${offset}`)
    if (offset + bytes > size)
      throw new KvasirError(
        'KV_FORMAT',
        `${path}: tensor ${name} ends at byte ${offset + bytes}, but the file at ${size}: it is cut short, download it again`,
      )
    names.add(name)
    end = offset + bytes
    before = name
  }
}

// The header of a safetensors file: u64 length, that many bytes of JSON, then the data. Only the header is read.
// The file is not trusted: every shape and offset is checked before it is used.
// Specification: README of the safetensors repository.
import { KvasirError } from '../errors.ts'
import { openForReading, readExactly } from './byte-reader.ts'
import type { CheckpointTensor } from './checkpoint.ts'
import { bytesOf, type WeightDtype } from './formats.ts'

/** The limit that the format itself sets. */
const MAX_HEADER = 100 * 2 ** 20
const DTYPES: ReadonlyMap<unknown, WeightDtype> = new Map([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
])

/** Tensors of one file, in the order of their bytes. */
export async function readSafetensors(path: string): Promise<CheckpointTensor[]> {
  const file = await openForReading(path)
  try {
    const size = await file.size()
    const fail = (message: string) =>
      new KvasirError('KV_FORMAT', `${path} ${message}: it is damaged or no safetensors file`)
    if (size < 8) throw fail(`is ${size} bytes long`)
    const prefix = Buffer.alloc(8)
    await readExactly(file, path, prefix, 0)
    const length = Number(prefix.readBigUInt64LE())
    if (length > MAX_HEADER || length > size - 8) throw fail(`says that its header is ${length} bytes long`)
    const json = Buffer.alloc(length)
    await readExactly(file, path, json, 8)
    return tensorsOf(path, size, 8 + length, parseObject(json.toString('utf8'), path))
  } finally {
    await file.close()
  }
}

/** The JSON object in `text`; KV_FORMAT, naming `path`, when it is anything else. */
export function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new KvasirError('KV_FORMAT', `${path} holds no valid JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new KvasirError('KV_FORMAT', `${path}: expected a JSON object`)
  return value as Record<string, unknown>
}

function tensorsOf(path: string, size: number, data: number, header: Record<string, unknown>): CheckpointTensor[] {
  const tensors = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => tensor(path, size, data, name, value))
    .sort((a, b) => a.offset - b.offset)
  for (const [i, next] of tensors.entries()) {
    const before = tensors[i - 1]
    if (before && before.offset + before.bytes > next.offset)
      throw new KvasirError(
        'KV_FORMAT',
        `${path}: tensors ${before.name} and ${next.name} overlap at byte ${next.offset}`,
      )
  }
  return tensors
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

function tensor(path: string, size: number, data: number, name: string, value: unknown): CheckpointTensor {
  const fail = (message: string) => new KvasirError('KV_FORMAT', `${path}: tensor ${name} ${message}`)
  const { dtype: type, shape, data_offsets: range } = Object(value) as Record<string, unknown>
  const dtype = DTYPES.get(type)
  if (!dtype)
    throw new KvasirError(
      'KV_UNSUPPORTED',
      `${path}: tensor ${name} is stored as ${JSON.stringify(type)}; Kvasir reads ${[...DTYPES.keys()].join(', ')} from safetensors`,
    )
  if (!Array.isArray(shape) || !shape.every(isSize)) throw fail(`has shape ${JSON.stringify(shape)}`)
  if (!Array.isArray(range) || range.length !== 2 || !range.every(isSize))
    throw fail(`has data_offsets ${JSON.stringify(range)}`)
  const [begin, end] = range as [number, number]
  const bytes = bytesOf(dtype, shape)
  if (end - begin !== bytes) throw fail(`of ${bytes} bytes has data_offsets ${begin} to ${end}`)
  if (data + end > size)
    throw fail(`ends at byte ${data + end}, but the file at ${size}: it is cut short, download it again`)
  return { name, dtype, shape, file: path, offset: data + begin, bytes }
}

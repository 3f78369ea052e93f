// The committed checkpoints of test/fixtures and what transformers computed from them (make_checkpoints.py says what
// each tensor is). Reads safetensors by itself: an oracle must not share the code that it judges.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FIXTURES = join(__dirname, '..', 'fixtures')

/** Folders of test/fixtures; those called rope-* use the weights of `llama`. */
export const CHECKPOINTS = [
  ...['llama', 'llama-tied', 'mistral', 'qwen2', 'qwen3'],
  ...['rope-llama3', 'rope-linear', 'rope-yarn', 'rope-dynamic'],
] as const

export interface Expected {
  tokens: number[]
  /** [T − 1] log-probability of each token after the first. */
  next: Float32Array
  /** Positions whose whole distribution is known: the log-softmax over the vocabulary. */
  distributions: Map<number, Float32Array>
  hiddenMean: Float32Array
  hiddenLast: Float32Array
}

/** Puts the checkpoint together in `folder`, as a user would have it, and returns its path. */
export function checkoutFixture(name: string, folder: string): string {
  const target = join(folder, name)
  mkdirSync(target, { recursive: true })
  if (!existsSync(join(FIXTURES, name, 'model.safetensors.index.json')))
    cpSync(
      join(FIXTURES, name.startsWith('rope-') ? 'llama' : name, 'model.safetensors'),
      join(target, 'model.safetensors'),
    )
  cpSync(join(FIXTURES, name), target, { recursive: true })
  cpSync(join(FIXTURES, 'tokenizer.json'), join(target, 'tokenizer.json'))
  return target
}

/** The real model of the tests (make_real_model.py): a text, and what float32 says of it. */
export function expectedOfRealModel(): Pick<Expected, 'tokens' | 'next'> {
  const { floats, ints } = readExpected('smollm2-135m')
  return { tokens: ints('tokens'), next: floats('next') }
}

/** The GGUF files of test/fixtures/gguf (make_gguf.py). */
export const GGUF_FILES = ['llama', 'qwen2', 'qwen3'] as const

export interface ExpectedGguf {
  path: string
  tokens: number[]
  /** With our rounding of activations, computed by PyTorch; `exact` is without it. */
  next: Float32Array
  exact: Float32Array
  short: { tokens: number[]; next: Float32Array }[]
}

export function expectedOfGguf(name: string): ExpectedGguf {
  const { tensors, floats, ints } = readExpected('gguf', `${name}.expected.safetensors`)
  const [count, length] = tensors.get('short_tokens')!.shape as [number, number]
  const tokens = ints('short_tokens')
  const next = floats('short_next')
  const short = Array.from({ length: count }, (_, i) => ({
    tokens: tokens.slice(i * length, (i + 1) * length),
    next: next.slice(i * (length - 1), (i + 1) * (length - 1)),
  }))
  const path = join(FIXTURES, 'gguf', `${name}.gguf`)
  return { path, tokens: ints('tokens'), next: floats('next'), exact: floats('exact'), short }
}

export function expectedOf(name: string): Expected {
  const { tensors, floats, ints } = readExpected(name)
  const logprobs = floats('logprobs')
  const vocabulary = tensors.get('logprobs')!.shape[1]!
  const distributions = ints('rows').map(
    (position, row) => [position, logprobs.subarray(row * vocabulary, (row + 1) * vocabulary)] as const,
  )
  return {
    tokens: ints('tokens'),
    next: floats('next'),
    distributions: new Map(distributions),
    hiddenMean: floats('hidden_mean'),
    hiddenLast: floats('hidden_last'),
  }
}

function readExpected(folder: string, file = 'expected.safetensors') {
  const tensors = readTensors(join(FIXTURES, folder, file))
  const floats = (key: string) => new Float32Array(tensors.get(key)!.bytes)
  const ints = (key: string) => [...new Int32Array(tensors.get(key)!.bytes)]
  return { tensors, floats, ints }
}

function readTensors(path: string): Map<string, { shape: number[]; bytes: ArrayBuffer }> {
  const file = readFileSync(path)
  const start = 8 + Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >
  const tensors = new Map<string, { shape: number[]; bytes: ArrayBuffer }>()
  for (const [name, { shape, data_offsets }] of Object.entries(header)) {
    const bytes = new Uint8Array(file.subarray(start + data_offsets[0], start + data_offsets[1])).buffer
    tensors.set(name, { shape, bytes })
  }
  return tensors
}

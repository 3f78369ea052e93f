// Writes a Llama of random weights, as large as asked, in 4, 8 or 16 bits: what it says is nonsense, what it costs is real.
// Its vocabulary is that of another GGUF file.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { ROOT } from '../harness.ts'

const HIDDEN = 2048
const MLP = 8192
const HEADS = 32
const KV_HEADS = 8
const HEAD_DIM = 64

/** Values and bytes of a block. */
const BLOCKS = { q4_0: [32, 18], q4_k: [256, 144], q8_0: [32, 34], f16: [1, 2] } as const
export type Format = keyof typeof BLOCKS

export async function writeRandomModel(path: string, donor: string, format: Format, bytes: number): Promise<void> {
  const inside = (name: string) => require(join(ROOT, 'dist', 'weights', name))
  const { openCheckpoint } = inside('open.js')
  const { ggufMetadata } = inside('gguf-metadata.js')
  const { ggufValue } = inside('gguf-values.js')
  const { GgufWriter } = inside('write-gguf.js')

  const checkpoint = await openCheckpoint(donor)
  const vocabulary: number = checkpoint.config.vocab_size
  const matrices: Record<string, [number, number]> = {
    attn_q: [HEADS * HEAD_DIM, HIDDEN],
    attn_k: [KV_HEADS * HEAD_DIM, HIDDEN],
    attn_v: [KV_HEADS * HEAD_DIM, HIDDEN],
    attn_output: [HIDDEN, HEADS * HEAD_DIM],
    ffn_gate: [MLP, HIDDEN],
    ffn_up: [MLP, HIDDEN],
    ffn_down: [HIDDEN, MLP],
  }
  const [blockValues, blockBytes] = BLOCKS[format]
  const size = ([rows, cols]: [number, number]) => ((rows * cols) / blockValues) * blockBytes
  const layerBytes = Object.values(matrices).reduce((sum, shape) => sum + size(shape), 0)
  const layers = Math.max(1, Math.round((bytes - size([vocabulary, HIDDEN])) / layerBytes))

  const metadata = await ggufMetadata(checkpoint, format)
  for (const [key, value] of Object.entries({
    context_length: 4096,
    embedding_length: HIDDEN,
    block_count: layers,
    feed_forward_length: MLP,
    'attention.head_count': HEADS,
    'attention.head_count_kv': KV_HEADS,
    'attention.key_length': HEAD_DIM,
    'attention.value_length': HEAD_DIM,
    'rope.dimension_count': HEAD_DIM,
  }))
    metadata.set(`llama.${key}`, ggufValue.u32(value))

  const norm = (name: string) => ({ name: `${name}.weight`, dtype: 'f32', shape: [HIDDEN] })
  const plan = [
    { name: 'token_embd.weight', dtype: format, shape: [vocabulary, HIDDEN] },
    norm('output_norm'),
    ...Array.from({ length: layers }, (_, layer) => [
      norm(`blk.${layer}.attn_norm`),
      norm(`blk.${layer}.ffn_norm`),
      ...Object.entries(matrices).map(([name, shape]) => ({
        name: `blk.${layer}.${name}.weight`,
        dtype: format,
        shape,
      })),
    ]).flat(),
  ]
  const writer = await GgufWriter.create(path, metadata, plan)
  const ones = new Uint8Array(new Float32Array(HIDDEN).fill(1).buffer)
  const noise = noiseBlocks(format)
  for (const { dtype, shape } of plan) {
    if (dtype === 'f32') await writer.write(ones)
    else
      for (let left = size(shape as [number, number]); left > 0; left -= noise.length)
        await writer.write(noise.subarray(0, Math.min(left, noise.length)))
  }
  await writer.finish()
}

/** A few megabytes of blocks: random levels, and scales about as large as those of trained weights. */
function noiseBlocks(format: Format): Buffer {
  const block = BLOCKS[format][1]
  const bytes = randomBytes(block * 2 ** 17)
  // An f16 of that exponent, its sign and ten bits as they are.
  const put = (at: number, exponent: number, kept: number) =>
    bytes.writeUInt16LE((bytes.readUInt16LE(at) & kept) | (exponent << 10), at)
  for (let at = 0; at < bytes.length; at += block) {
    if (format === 'f16') put(at, 9, 0x83ff)
    else if (format === 'q4_k') {
      put(at, 1, 0x3ff) // of the levels, 0 to 15 times a scale of six bits
      put(at + 2, 4, 0x3ff) // of what is taken off: the middle of the levels
    } else put(at, format === 'q8_0' ? 3 : 7, 0x3ff)
  }
  return bytes
}

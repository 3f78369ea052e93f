// Every kernel but `linear`, through the test addon: node bench/kernels/ops.cjs [isa] [threads].
// Shapes are those of SmolLM2-135M and, for attention, of Llama 3.1 8B. Inputs stay in cache between calls, and the
// fastest of the repeats counts: these are the limits of the kernels, not of the memory. Every call is short, so that
// on a busy machine some calls run undisturbed.
// Each case runs on every instruction set first; the answers must agree before anything is timed.
const { execFileSync } = require('node:child_process')
const { cpus } = require('node:os')
const { join } = require('node:path')

const root = join(__dirname, '../..')
const kernels = require(join(root, 'build/test/kvasir_kernels.node'))
const isas = kernels.isas()
const isa = process.argv[2] ?? isas.at(-1)
const threads = Number(process.argv[3] ?? 1)

const dtype = { f32: 0, f16: 1, act8: 16, kv8: 18 }
const pageTokens = 32

let state = 1
const noise = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 31 - 1
}
const floats = (n, scale = 1) => Float32Array.from({ length: n }, () => noise() * scale)
const rows = (kind, count, dim, data) => {
  const stride = Math.ceil((kind === dtype.act8 ? dim + dim / 4 : dim * 4) / 64) * 64
  return { data: data ?? new Uint8Array(stride * count), dtype: kind, rows: count, dim, stride }
}

function cache(kind, kvHeads, headDim, context) {
  const pages = Math.ceil(context / pageTokens)
  const rowBytes = kind === dtype.kv8 ? headDim : headDim * (kind === dtype.f16 ? 2 : 4)
  const headPage = pageTokens * (2 * rowBytes + (kind === dtype.kv8 ? 8 : 0))
  const data = new Uint8Array(headPage * kvHeads * pages)
  const view = new DataView(data.buffer)
  for (let at = 0; at < data.length; at += headPage) {
    // f16 values below 2, or any s8 and scales near 0.01.
    for (let i = 0; i < 2 * pageTokens * headDim; i++) {
      if (kind === dtype.kv8) view.setInt8(at + i, Math.round(noise() * 127))
      else if (kind === dtype.f16) view.setUint16(at + 2 * i, 0x3000 + Math.floor((noise() + 1) * 0x0600), true)
      else view.setFloat32(at + 4 * i, noise(), true)
    }
    if (kind === dtype.kv8)
      for (let i = 0; i < 64; i++) view.setFloat32(at + 2 * pageTokens * headDim + 4 * i, 0.01 + noise() * 0.005, true)
  }
  return { data, dtype: kind, layers: 1, pages, kvHeads, headDim }
}

function attention(kind, kvHeads, group, headDim, position, tokens) {
  const heads = kvHeads * group
  const width = (heads + 2 * kvHeads) * headDim
  const kv = cache(kind, kvHeads, headDim, position + tokens)
  const blocks = Int32Array.from({ length: kv.pages }, (_, i) => i)
  const args = {
    sequences: {
      start: Int32Array.of(0, tokens),
      position: Int32Array.of(position),
      blockStart: Int32Array.of(0, kv.pages),
      blocks,
    },
    qkv: rows(dtype.f32, tokens, width, floats(tokens * width)),
    heads,
    scale: 1 / Math.sqrt(headDim),
    kv,
    y: rows(dtype.f32, tokens, heads * headDim),
    workspace: new Float32Array(1 << 20),
  }
  const seen = tokens * position + (tokens * (tokens + 1)) / 2
  return { op: 'attention', args, out: args.y, bytes: kv.data.length, macs: 2 * headDim * heads * seen }
}

function sampling(vocab, slot, peak = 14) {
  const logits = floats(vocab, 3)
  for (let i = 0; i < 40; i++) logits[Math.floor(((noise() + 1) / 2) * vocab)] = peak + noise()
  const one = () => new Int32Array(1)
  const args = {
    logits: rows(dtype.f32, 1, vocab, logits),
    slot: one(),
    position: one(),
    target: Int32Array.of(-1),
    slots: [{ topLogprobs: -1, ...slot }],
    lastSampled: one(),
    id: one(),
    logprob: new Float32Array(1),
    stop: one(),
    topCount: one(),
    topId: new Int32Array(20),
    topLogprob: new Float32Array(20),
  }
  return { op: 'sample', args, out: { data: args.id, dtype: 'id' } }
}

const norm = (tokens, kind) => {
  const args = { x: rows(dtype.f32, tokens, 576, floats(tokens * 576)), w: floats(576), eps: 1e-5 }
  return { op: 'rms_norm', args: { ...args, y: rows(kind, tokens, 576) }, values: tokens * 576 }
}
const swiglu = (tokens) => ({
  op: 'swiglu',
  args: { x: rows(dtype.f32, tokens, 3072, floats(tokens * 3072, 4)), y: rows(dtype.act8, tokens, 1536) },
  values: tokens * 1536,
})

const cases = {
  'attention decode kv8 3x3x64 @2k': attention(dtype.kv8, 3, 3, 64, 2047, 1),
  'attention decode kv8 3x3x64 @8k': attention(dtype.kv8, 3, 3, 64, 8191, 1),
  'attention decode kv8 8x4x128 @2k': attention(dtype.kv8, 8, 4, 128, 2047, 1),
  'attention decode f16 3x3x64 @2k': attention(dtype.f16, 3, 3, 64, 2047, 1),
  'attention decode f32 3x3x64 @2k': attention(dtype.f32, 3, 3, 64, 2047, 1),
  'attention prefill kv8 3x3x64 64@448': attention(dtype.kv8, 3, 3, 64, 448, 64),
  'attention prefill kv8 3x3x64 32@2016': attention(dtype.kv8, 3, 3, 64, 2016, 32),
  'attention prefill kv8 2x4x128 32@480': attention(dtype.kv8, 2, 4, 128, 480, 32),
  'attention prefill f16 3x3x64 64@448': attention(dtype.f16, 3, 3, 64, 448, 64),
  'rms_norm 1x576 act8': norm(1, dtype.act8),
  'rms_norm 512x576 act8': norm(512, dtype.act8),
  'swiglu 1x1536 act8': swiglu(1),
  'swiglu 512x1536 act8': swiglu(512),
  'sample greedy 49152': sampling(49152, { temperature: 0 }),
  'sample temperature 49152': sampling(49152, { temperature: 0.8 }),
  'sample top-p 49152': sampling(49152, { temperature: 0.8, topP: 0.95 }),
  'sample top-p 49152, flat': sampling(49152, { temperature: 0.8, topP: 0.95 }, 3),
  'sample top-k 40, top-p, min-p 49152': sampling(49152, { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 }),
  'sample greedy 49152, 5 logprobs': sampling(49152, { temperature: 0, topLogprobs: 5 }),
}

// f32 answers within rounding of the baseline's, ids the same, act8 the same up to a step here and there.
function check(name, { op, args, out }) {
  const answers = isas.map((set) => {
    kernels.run(op, args, { isa: set, threads })
    const { data, dtype: kind } = out ?? args.y
    const view = kind === dtype.f32 ? new Float32Array(data.buffer) : new Int8Array(data.buffer)
    return view.slice(0, kind === dtype.act8 ? args.y.dim : view.length)
  })
  const limit = (out ?? args.y).dtype === dtype.act8 ? 1 : (out ?? args.y).dtype === 'id' ? 0 : 1e-4
  for (const answer of answers)
    for (let i = 0; i < answer.length; i++)
      if (!(Math.abs(answer[i] - answers[0][i]) <= limit))
        throw new Error(`${name}: instruction sets disagree at ${i}: ${answer[i]} and ${answers[0][i]}`)
}

const figures = {}
for (const [name, one] of Object.entries(cases)) {
  check(name, one)
  const first = kernels.run(one.op, one.args, { isa, threads })
  const repeat = Math.max(5, Math.min(3000, Math.floor(1.5e8 / first)))
  const ns = kernels.run(one.op, one.args, { isa, threads, repeat })
  const rates = { us: ns / 1000 }
  if (name.includes('decode')) rates['GB/s'] = one.bytes / ns
  if (one.macs) rates['GMAC/s'] = one.macs / ns
  if (one.values) rates['Gvalues/s'] = one.values / ns
  for (const [unit, value] of Object.entries(rates)) figures[`${name} ${unit}`] = Number(value.toPrecision(4))
  const line = Object.entries(rates).map(([unit, value]) => `${value.toPrecision(4).padStart(9)} ${unit}`)
  console.log(name.padEnd(40), line.join('  '))
}
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
const machine = `${cpus()[0].model}, ${isa}, ${threads} threads`
console.log(JSON.stringify({ bench: 'kernels/ops', commit, machine, figures }))

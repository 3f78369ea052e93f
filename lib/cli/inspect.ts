// kvasir inspect MODEL: what a checkpoint is and needs, without reading its weights.
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { resolveModel } from '../hub/resolve.ts'
import { memoryBandwidth } from '../machine/bandwidth.ts'
import { machine, threadsFor } from '../machine/machine.ts'
import { native } from '../native.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { openCheckpoint } from '../weights/open.ts'
import { type Choices, choicesFor, mostTokens, size } from './choices.ts'
import { interruptible } from './interrupt.ts'
import { compileFor, type Memory, memoryOf } from './memory.ts'
import { progressBar } from './progress.ts'

const USAGE = `kvasir inspect MODEL

  --context N     tokens of a sequence to tell memory for (default: what the model was trained for)
  --sequences S   sequences at once (default 1)
  --json          for programs
  --tensors       every tensor
  --program       graph and tape that the model is compiled to
`

export async function inspectCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      context: { type: 'string' },
      sequences: { type: 'string' },
      json: { type: 'boolean' },
      tensors: { type: 'boolean' },
      program: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const [model, ...rest] = positionals
  if (model === undefined || rest.length > 0)
    throw new KvasirError('KV_ARGUMENT', `inspect takes one model, got ${positionals.length}`)
  const checkpoint = await openCheckpoint(await fetched(model))
  const context = whole('context', values.context, checkpoint.config.max_position_embeddings)
  const sequences = whole('sequences', values.sequences, 1)
  const program = await compileFor(checkpoint, context, sequences)
  if (values.program) return void process.stdout.write(program.dump())

  const host = machine()
  const bandwidth = await memoryBandwidth(host, threadsFor(native().info().cores, host))
  const here = { bandwidth, ...choicesFor(checkpoint, host) }
  const report = { ...reportOf(checkpoint, memoryOf(checkpoint, program, context, sequences)), here }
  if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else process.stdout.write(page(report) + (values.tensors ? tensorList(checkpoint) : ''))
}

async function fetched(model: string): Promise<string> {
  const bar = progressBar()
  try {
    const onProgress = ({ file, done, total }: { file: string; done: number; total: number }) =>
      bar.update(file, done, total)
    return await interruptible((signal) => resolveModel(model, { signal, onProgress }))
  } finally {
    bar.stop()
  }
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 2 ** 24) return value
  throw new KvasirError('KV_ARGUMENT', `--${name} ${text}: expected a whole number from 1 to ${2 ** 24}`)
}

interface Report {
  path: string
  kind: string
  name: string
  config: Checkpoint['config']
  tokenizer: { kind: string; model?: string; pre?: string; bos?: number; eos?: number }
  stopTokens: number[]
  chatTemplate: string | null
  warnings: string[]
  parameters: number
  formats: { dtype: string; tensors: number; bytes: number }[]
  memory: Memory
}

/** On this machine. */
type Here = Choices & { bandwidth: number }

function reportOf(checkpoint: Checkpoint, memory: Memory): Report {
  const { path, kind, name, config, tokenizer, stopTokens, chatTemplate, warnings, tensors } = checkpoint
  const formats = new Map<string, { dtype: string; tensors: number; bytes: number }>()
  let parameters = 0
  for (const { dtype, shape, bytes } of tensors.values()) {
    const row = formats.get(dtype) ?? { dtype, tensors: 0, bytes: 0 }
    formats.set(dtype, { dtype, tensors: row.tensors + 1, bytes: row.bytes + bytes })
    parameters += shape.reduce((product, size) => product * size, 1)
  }
  const { model, pre, bos, eos } = tokenizer
  return {
    path,
    kind,
    name,
    config,
    tokenizer: JSON.parse(JSON.stringify({ kind: tokenizer.kind, model, pre, bos, eos })),
    stopTokens,
    chatTemplate,
    warnings,
    parameters,
    formats: [...formats.values()].sort((a, b) => b.bytes - a.bytes),
    memory,
  }
}

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const row = (label: string, value: string) => `  ${label.padEnd(14)}${value}\n`

function page({ config: c, memory: m, here, ...r }: Report & { here: Here }): string {
  const scaling = c.rope_scaling ? `, scaled: ${c.rope_scaling.rope_type}` : ''
  const window = c.sliding_window ? `, window ${c.sliding_window}` : ''
  const { kind, model, pre, bos, eos } = r.tokenizer
  const name = [model, pre].filter(Boolean).join(' / ') || 'tokenizer.json'
  const steps = `in steps of ${m.stepTokens} tokens`
  return [
    `${r.name}\n`,
    row('file', `${r.path} (${r.kind})`),
    row(
      'architecture',
      `${c.model_type}, ${c.num_hidden_layers} layers, hidden ${c.hidden_size}, MLP ${c.intermediate_size}`,
    ),
    row(
      'attention',
      `${c.num_attention_heads} heads of ${c.head_dim}, ${c.num_key_value_heads} key-value heads${window}`,
    ),
    row('positions', `${c.max_position_embeddings} trained, theta ${c.rope_theta}${scaling}`),
    row('vocabulary', `${c.vocab_size}${c.tie_word_embeddings ? ', one matrix in and out' : ''}`),
    row(
      'tokenizer',
      `${kind}: ${name}, bos ${bos ?? 'none'}, eos ${eos ?? 'none'}, stops at ${r.stopTokens.join(', ') || 'none'}`,
    ),
    row('chat template', r.chatTemplate === null ? 'none' : `${r.chatTemplate.length} characters`),
    ...r.warnings.map((warning) => row('warning', warning)),
    row('parameters', r.parameters.toLocaleString('en-US')),
    ...r.formats.map(({ dtype, tensors, bytes }) =>
      row('', `${dtype.padEnd(5)} ${String(tensors).padStart(5)} tensors ${mb(bytes).padStart(11)}`),
    ),
    `memory for ${m.sequences === 1 ? 'a sequence' : `${m.sequences} sequences`} of ${m.context} tokens\n`,
    row('weights', `${mb(m.weights)} mapped, shared between processes`),
    row('keys, values', `${mb(m.kv.kv8)} in 8 bits (kv8), ${mb(m.kv.f16)} in f16`),
    row('activations', `${mb(m.arena)} ${steps}`),
    row('in all', `${mb(m.weights + m.kv.kv8 + m.arena)} with kv8`),
    'load() on this machine, when it is told nothing\n',
    row('weights', `${here.weights.format ?? 'as-is'}: ${here.weights.why}`),
    ...here.formats.map(({ format, bytes }) =>
      row(
        '',
        `${format.padEnd(6)} ${size(bytes).padStart(8)}, at most ${mostTokens(here.bandwidth, bytes).toFixed(0)} tokens/s`,
      ),
    ),
    row('context', `${here.limits.context} tokens: ${here.why.context}`),
    row('keys, values', `${here.kv}, at most ${size(here.kvBytes)}: ${here.why.kv}`),
  ].join('')
}

function tensorList({ tensors }: Checkpoint): string {
  return [...tensors.values()]
    .map(
      ({ name, dtype, shape, bytes }) =>
        `  ${name.padEnd(48)} ${dtype.padEnd(5)} ${shape.join(' × ').padEnd(16)} ${mb(bytes)}\n`,
    )
    .join('')
}

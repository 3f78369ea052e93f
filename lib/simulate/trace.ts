// Traces of real services: when a request came, how long its prompt was, how long its answer.
//
//   .csv    Azure LLM inference 2023: TIMESTAMP,ContextTokens,GeneratedTokens
//   .jsonl  Mooncake: {"timestamp": ms, "input_length", "output_length", "hash_ids": [a block of 512 tokens each]}
import { readFile } from 'node:fs/promises'
import { KvasirError } from '../errors.ts'

export interface TraceRequest {
  /** Milliseconds since the first. */
  at: number
  prompt: number
  output: number
  /** Prompts with the same number at the same place have the same 512 tokens there. */
  blocks?: readonly number[]
}

export const TRACE_BLOCK = 512

export async function readTrace(path: string): Promise<TraceRequest[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new KvasirError('KV_NOT_FOUND', `no trace at ${path}`, { cause })
  })
  const lines = text.split(/\r?\n/).filter((line) => line !== '')
  const read = path.endsWith('.jsonl') ? mooncake : azure
  const requests = (path.endsWith('.jsonl') ? lines : lines.slice(1)).map((line, i) => {
    const request = read(line)
    const { at, prompt, output } = request
    if (Number.isFinite(at) && prompt >= 1 && output >= 1) return request
    throw new KvasirError(
      'KV_FORMAT',
      `${path}, request ${i + 1}: expected a time and two lengths from 1 up, found ${line.slice(0, 120)}`,
    )
  })
  const first = requests.reduce((least, { at }) => Math.min(least, at), Infinity)
  for (const request of requests) request.at -= first
  return requests.sort((a, b) => a.at - b.at)
}

function azure(line: string): TraceRequest {
  const [time = '', prompt, output] = line.split(',')
  return { at: Date.parse(`${time.replace(' ', 'T')}Z`), prompt: Number(prompt), output: Number(output) }
}

function mooncake(line: string): TraceRequest {
  try {
    const { timestamp, input_length, output_length, hash_ids } = JSON.parse(line)
    return { at: Number(timestamp), prompt: Number(input_length), output: Number(output_length), blocks: hash_ids }
  } catch {
    return { at: Number.NaN, prompt: 0, output: 0 }
  }
}

/** The share of prompt tokens that a cache without bounds would find, and of all tokens of prompts; [0, total]. */
export function idealHits(requests: readonly TraceRequest[]): number {
  const seen = new Set<number>()
  let hits = 0
  let total = 0
  for (const { prompt, blocks = [] } of requests) {
    let found = 0
    while (found < blocks.length && seen.has(blocks[found]!)) found++
    hits += Math.min(found * TRACE_BLOCK, prompt - 1)
    total += prompt
    for (const block of blocks) seen.add(block)
  }
  return total > 0 ? hits / total : 0
}

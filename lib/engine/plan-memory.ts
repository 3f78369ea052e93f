// How much of everything a model gets when the caller does not say: sized by the checkpoint and the machine.
import { totalmem } from 'node:os'
import { PAGE_TOKENS, pagesFor } from '../cache/block-allocator.ts'
import { maxContext } from '../models/rope.ts'
import { integer, oneOf } from '../sampling/check.ts'
import type { Limits } from '../scheduler/limits.ts'
import type { ModelConfig } from '../weights/config.ts'

export type KvFormat = 'kv8' | 'f16' | 'f32'

export interface MemoryOptions {
  /** Format of the KV cache: 8 bits with a scale per token and head (default), or floats. */
  kv?: KvFormat
  /** Tokens that a prompt and its answer may have together. Default: what the model was trained for, at most 8192. */
  context?: number
  /** Requests computed at once; more wait in line. Default 64. */
  maxSequences?: number
  /** Tokens of one step; longer prompts are computed in chunks of it. Default 256. */
  maxTokens?: number
  /** Pages of 32 tokens in the KV cache. Default: for all sequences at full context, within a quarter of the memory. */
  pages?: number
}

export interface MemoryPlan {
  kv: KvFormat
  limits: Limits
  pages: number
  /** Bytes of the KV cache when every page is in use. */
  kvBytes: number
}

const DEFAULT_CONTEXT = 8192
const DEFAULT_SEQUENCES = 64
const DEFAULT_TOKENS = 256 // 512 is no faster, and its intermediate results take twice the room

/** Bytes of a page of all layers; native/ops/kv_cache.h has the layout. */
export function pageBytes(config: ModelConfig, kv: KvFormat): number {
  const { num_hidden_layers, num_key_value_heads, head_dim } = config
  const token = kv === 'kv8' ? 2 * (head_dim + 4) : 2 * head_dim * (kv === 'f16' ? 2 : 4)
  return num_hidden_layers * num_key_value_heads * PAGE_TOKENS * token
}

/** `budget`: bytes that the KV cache may take at most when nobody says how many pages; of the processor a quarter. */
export function planMemory(config: ModelConfig, options: MemoryOptions, budget = totalmem() / 4): MemoryPlan {
  const kv = oneOf('kv', options.kv, 'kv8', ['kv8', 'f16', 'f32'])
  const longest = maxContext(config)
  const context = integer('context', options.context, Math.min(longest, DEFAULT_CONTEXT), { min: 1, max: longest })
  const maxSequences = integer('maxSequences', options.maxSequences, DEFAULT_SEQUENCES, { min: 1, max: 4096 })
  const maxTokens = integer('maxTokens', options.maxTokens, Math.max(DEFAULT_TOKENS, maxSequences), {
    min: 1,
    max: 65536,
  })
  const bytes = pageBytes(config, kv)
  const wanted = maxSequences * pagesFor(context)
  const affordable = Math.max(pagesFor(context), Math.floor(budget / bytes))
  const pages = integer('pages', options.pages, Math.min(wanted, affordable), { min: 1, max: 2 ** 24 })
  const maxRows = Math.min(maxTokens, Math.max(maxSequences, 64))
  return { kv, limits: { maxTokens, maxSequences, maxRows, context }, pages, kvBytes: pages * bytes }
}

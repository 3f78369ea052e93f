// How much of everything a model gets when the caller does not say: sized by the checkpoint and by what this process may
// use of the machine, with the reasons in words.
import { PAGE_TOKENS, pagesFor } from '../cache/block-allocator.ts'
import { type Machine, machine } from '../machine/machine.ts'
import { maxContext } from '../models/rope.ts'
import { integer, oneOf } from '../sampling/check.ts'
import type { Limits } from '../scheduler/limits.ts'
import type { ModelConfig } from '../weights/config.ts'

export type KvFormat = 'kv8' | 'f16' | 'f32'

export interface MemoryOptions {
  /** Format of the KV cache: 8 bits with a scale per token and head (default), or floats. */
  kv?: KvFormat
  /**
   * Tokens that a prompt and its answer may have together. Default: what the model was trained for, at most 8192, and
   * less where memory is short.
   */
  context?: number
  /** Requests computed at once; more wait in line. Default 64. */
  maxSequences?: number
  /** Tokens of one step; longer prompts are computed in chunks of it. Default 256. */
  maxTokens?: number
  /**
   * Pages of 32 tokens in the KV cache. Default: for all sequences at full context, within a quarter of the memory that
   * this process may use and half of what is available of it.
   */
  pages?: number
}

export interface MemoryPlan {
  kv: KvFormat
  limits: Limits
  pages: number
  /** Bytes of the KV cache when every page is in use. */
  kvBytes: number
  /** What decided the context, and the format and size of the cache. */
  why: { context: string; format: string; kv: string }
}

const DEFAULT_CONTEXT = 8192
const LEAST_CONTEXT = 512
const DEFAULT_SEQUENCES = 64
const DEFAULT_TOKENS = 256 // 512 is no faster, and its intermediate results take twice the room

/** Bytes of a page of all layers; native/ops/kv_cache.h has the layout. */
export function pageBytes(config: ModelConfig, kv: KvFormat): number {
  const { num_hidden_layers, num_key_value_heads, head_dim } = config
  const token = kv === 'kv8' ? 2 * (head_dim + 4) : 2 * head_dim * (kv === 'f16' ? 2 : 4)
  return num_hidden_layers * num_key_value_heads * PAGE_TOKENS * token
}

/** `card`: bytes of a card that the KV cache may take; without it, it lies in the machine's memory, beside the weights. */
export function planMemory(
  config: ModelConfig,
  options: MemoryOptions,
  host: Machine = machine(),
  { card, weightBytes = 0 }: { card?: number | undefined; weightBytes?: number } = {},
): MemoryPlan {
  const kv = oneOf('kv', options.kv, 'kv8', ['kv8', 'f16', 'f32'])
  const bytes = pageBytes(config, kv)
  const { budget, reason } =
    card === undefined
      ? kvBudget(host, weightBytes)
      : { budget: card, reason: 'most of what the weights leave of the card' }
  const affordable = Math.floor(budget / bytes)

  const longest = maxContext(config)
  const usual = Math.min(longest, DEFAULT_CONTEXT)
  const least = Math.min(longest, LEAST_CONTEXT)
  const fitting = Math.max(least, Math.min(usual, affordable * PAGE_TOKENS))
  const context = integer('context', options.context, fitting, { min: 1, max: longest })
  const maxSequences = integer('maxSequences', options.maxSequences, DEFAULT_SEQUENCES, { min: 1, max: 4096 })
  const maxTokens = integer('maxTokens', options.maxTokens, Math.max(DEFAULT_TOKENS, maxSequences), {
    min: 1,
    max: 65536,
  })
  const wanted = maxSequences * pagesFor(context)
  const most = Math.max(pagesFor(context), affordable)
  const pages = integer('pages', options.pages, Math.min(wanted, most), { min: 1, max: 2 ** 24 })
  const maxRows = Math.min(maxTokens, Math.max(maxSequences, 64))
  return {
    kv,
    limits: { maxTokens, maxSequences, maxRows, context },
    pages,
    kvBytes: pages * bytes,
    why: {
      context:
        options.context !== undefined
          ? 'as asked'
          : fitting < usual
            ? `what fits ${reason}`
            : usual < longest
              ? `the usual most; the model was trained for ${longest}`
              : 'what the model was trained for',
      format: options.kv === undefined ? 'half the memory of f16, and half as much to read' : 'as asked',
      kv:
        options.pages !== undefined
          ? 'as asked'
          : wanted <= most
            ? `${maxSequences} sequences at full context`
            : `${Math.floor(pages / pagesFor(context))} of ${maxSequences} sequences at full context: ${reason}`,
    },
  }
}

// A quarter of what this process may ever use is a good neighbour's share; half of what the weights leave of what is free
// now keeps it from being stopped for want of memory, and the weights in memory. Weights that do not fit leave a tenth.
function kvBudget({ memory, available, memoryLimit }: Machine, weights: number): { budget: number; reason: string } {
  const may = Math.min(memory, memoryLimit ?? memory)
  const rest = Math.max(available - weights, available / 5)
  const whose = memoryLimit !== null && memoryLimit < memory ? 'that the cgroup allows' : 'of the machine'
  if (may / 4 <= rest / 2) return { budget: may / 4, reason: `a quarter of the memory ${whose}` }
  return { budget: rest / 2, reason: 'half of the available memory that the weights leave' }
}

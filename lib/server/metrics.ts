// Prometheus metrics: Kvasir's own names, and the same numbers under the names of vLLM, so that its dashboards work.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Answer } from '../engine/answer.ts'
import type { EngineLoad } from '../engine/engine-load.ts'
import type { SwapStats } from '../scheduler/swap.ts'
import type { Model } from './shared.ts'

/** Ours and theirs. */
const ALIASES: readonly (readonly [string, string])[] = [
  ['kvasir_requests_running', 'vllm:num_requests_running'],
  ['kvasir_requests_waiting', 'vllm:num_requests_waiting'],
  ['kvasir_kv_cache_usage_ratio', 'vllm:kv_cache_usage_perc'],
  ['kvasir_prompt_tokens_total', 'vllm:prompt_tokens_total'],
  ['kvasir_generation_tokens_total', 'vllm:generation_tokens_total'],
  ['kvasir_time_to_first_token_seconds', 'vllm:time_to_first_token_seconds'],
  ['kvasir_time_per_output_token_seconds', 'vllm:request_time_per_output_token_seconds'],
  ['kvasir_request_duration_seconds', 'vllm:e2e_request_latency_seconds'],
  ['kvasir_queue_time_seconds', 'vllm:request_queue_time_seconds'],
  ['kvasir_prefix_cache_query_tokens_total', 'vllm:prefix_cache_queries_total'],
  ['kvasir_prefix_cache_hit_tokens_total', 'vllm:prefix_cache_hits_total'],
  ['kvasir_preemptions_total', 'vllm:num_preemptions_total'],
  ['kvasir_requests_finished_total', 'vllm:request_success_total'],
  ['kvasir_swap_usage_ratio', 'vllm:kv_offload_cpu_cache_usage_perc'],
  ['kvasir_swap_bytes_total', 'vllm:kv_offload_total_bytes_total'],
  ['kvasir_swap_seconds_total', 'vllm:kv_offload_total_time_total'],
]

/** And the labels that have another name there. */
const LABELS: readonly (readonly [string, string])[] = [
  ['direction="out"', 'transfer_type="GPU_to_CPU"'],
  ['direction="in"', 'transfer_type="CPU_to_GPU"'],
]

// A histogram's lines have the name with _bucket, _sum and _count behind it.
const PATTERNS = ALIASES.map(
  ([own, theirs]) => [new RegExp(`^(# \\w+ )?${own}(?=(?:_bucket|_sum|_count)?[ {])`), theirs] as const,
)

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const SECONDS_PER_TOKEN = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5]

export class Metrics {
  private readonly registry = new Registry()
  private readonly prompt = this.counter('prompt_tokens_total', 'Tokens of prompts')
  private readonly generated = this.counter('generation_tokens_total', 'Tokens that were sampled')
  private readonly finished = this.counter('requests_finished_total', 'Answers, by why they ended', ['finished_reason'])
  private readonly http = this.counter('http_requests_total', 'Requests, by route and status', ['route', 'status'])
  private readonly duration = this.histogram('http_request_duration_seconds', 'From a request to the end of its answer')
  private readonly endToEnd = this.histogram('request_duration_seconds', 'From a call to its last token')
  private readonly ttft = this.histogram('time_to_first_token_seconds', 'From a call to its first token')
  private readonly queue = this.histogram('queue_time_seconds', 'From a call to its first step')
  private readonly tpot = this.histogram(
    'time_per_output_token_seconds',
    'Mean time from token to token of an answer',
    SECONDS_PER_TOKEN,
  )

  constructor(
    private readonly llm: Model,
    name: string,
  ) {
    this.registry.setDefaultLabels({ model_name: name })
    this.gauge('requests_running', 'Sequences that are computed now', ({ running }) => running)
    this.gauge('requests_waiting', 'Sequences that wait in line', ({ waiting }) => waiting)
    this.gauge('kv_cache_usage_ratio', 'Pages of the KV cache that are in use', (load) =>
      load.pages > 0 ? 1 - load.freePages / load.pages : 0,
    )
    this.gauge('kv_cache_pages', 'Pages of the KV cache', ({ pages }) => pages)
    this.gauge('kv_cache_resident_pages', 'Pages of the KV cache that hold memory', (load) => load.residentPages)
    this.total(
      'kv_cache_steps_down_total',
      'Times that the KV cache gave way to want of memory',
      (load) => load.stepsDown,
    )
    this.total('kv_cache_steps_up_total', 'Times that it took back', (load) => load.stepsUp)
    this.total(
      'preemptions_total',
      'Times that a sequence gave its memory to another',
      ({ preemptions }) => preemptions,
    )
    this.total('steps_total', 'Steps that the device ran', ({ steps }) => steps)
    this.total('replayed_steps_total', 'Steps that a card replayed from a recording', ({ replays }) => replays)
    this.total('device_busy_seconds_total', 'Time that the device computed', ({ busyMs }) => busyMs / 1000)
    const prefix = (pick: (stats: NonNullable<EngineLoad['prefixCache']>) => number) => (load: EngineLoad) =>
      load.prefixCache ? pick(load.prefixCache) : 0
    this.total(
      'prefix_cache_query_tokens_total',
      'Tokens of prompts that were looked up in the prefix cache',
      prefix((stats) => stats.hitTokens + stats.evictedTokens + stats.newTokens),
    )
    this.total(
      'prefix_cache_hit_tokens_total',
      'Tokens of prompts that were in the prefix cache',
      prefix((stats) => stats.hitTokens),
    )
    this.total(
      'prefix_cache_evicted_tokens_total',
      'Tokens of prompts that were in the prefix cache once',
      prefix((stats) => stats.evictedTokens),
    )
    this.gauge(
      'prefix_cache_pages',
      'Pages that only the prefix cache keeps',
      prefix((stats) => stats.pages),
    )
    this.swap()
    const { registry } = this
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory of the process',
      registers: [registry],
      collect() {
        this.set(process.memoryUsage.rss())
      },
    })
  }

  readonly contentType = this.registry.contentType

  async text(): Promise<string> {
    const own = await this.registry.metrics()
    const lines = own.split('\n')
    const theirs = PATTERNS.flatMap(([pattern, alias]) =>
      lines
        .filter((line) => pattern.test(line))
        .map((line) =>
          LABELS.reduce((text, [own, label]) => text.replace(own, label), line.replace(pattern, `$1${alias}`)),
        ),
    )
    return `${own}${theirs.join('\n')}\n`
  }

  /** A request is over, whatever it was. */
  requested(route: string, status: number, ms: number): void {
    this.http.inc({ route, status })
    this.duration.observe(ms / 1000)
  }

  /** A call of the model has its answer. */
  answered({ usage, timings, finishReason, choices }: Pick<Answer, 'usage'> & Partial<Answer>): void {
    this.prompt.inc(usage.promptTokens)
    this.generated.inc(usage.completionTokens)
    if (finishReason) this.finished.inc({ finished_reason: finishReason })
    if (!timings) return
    this.endToEnd.observe((timings.ttftMs + timings.decodeMs) / 1000)
    this.ttft.observe(timings.ttftMs / 1000)
    this.queue.observe(timings.queueMs / 1000)
    const tokens = usage.completionTokens / (choices?.length ?? 1)
    if (tokens > 1) this.tpot.observe(timings.decodeMs / 1000 / (tokens - 1))
  }

  private counter<L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: `kvasir_${name}`, help, labelNames, registers: [this.registry] })
  }

  private histogram(name: string, help: string, buckets = SECONDS): Histogram {
    return new Histogram({ name: `kvasir_${name}`, help, buckets, registers: [this.registry] })
  }

  private gauge(name: string, help: string, value: (load: EngineLoad) => number): void {
    const { llm, registry } = this
    new Gauge({
      name: `kvasir_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value(llm.stats()))
      },
    })
  }

  // What was copied out of the KV cache and back.
  private swap(): void {
    const { llm, registry } = this
    this.gauge('swap_usage_ratio', 'Share of the room outside the KV cache that holds pages', ({ swap }) =>
      swap ? swap.heldPages / swap.pages : 0,
    )
    const directions = (name: string, help: string, value: (swap: SwapStats) => { out: number; in: number }) =>
      new Counter({
        ...{ name: `kvasir_swap_${name}_total`, help, labelNames: ['direction'], registers: [registry] },
        collect() {
          const { swap } = llm.stats()
          if (!swap) return
          this.reset()
          for (const [direction, count] of Object.entries(value(swap))) this.inc({ direction }, count)
        },
      })
    directions('bytes', 'Bytes of pages copied out of the KV cache and back', ({ pages, outPages, inPages }) => {
      const page = llm.info.swapBytes / pages
      return { out: outPages * page, in: inPages * page }
    })
    directions('seconds', 'Time that those copies took', ({ outMs, inMs }) => ({ out: outMs / 1000, in: inMs / 1000 }))
  }

  // Counted by the engine; here it is only read.
  private total(name: string, help: string, value: (load: EngineLoad) => number): void {
    const { llm, registry } = this
    new Counter({
      name: `kvasir_${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(value(llm.stats()))
      },
    })
  }
}

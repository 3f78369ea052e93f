// Figures of the engine as Prometheus reads them.
import { expect, it } from 'vitest'
import { Metrics } from '../../lib/server/metrics.ts'
import type { Model } from '../../lib/server/shared.ts'
import { scripted } from '../../lib/testing/index.ts'

it('counts what was swapped, under its own names and those of vLLM', async () => {
  const llm = scripted([])
  const swap = { pages: 10, heldPages: 4, outPages: 7, inPages: 5, outMs: 30, inMs: 20, failed: false }
  const model = { info: { ...llm.info, swapBytes: 1000 }, stats: () => ({ ...llm.stats(), swap }) } as unknown as Model
  const metrics = new Metrics(model, 'm')
  await metrics.text()
  const text = await metrics.text() // asked again, it counts nothing twice
  for (const line of [
    'kvasir_swap_usage_ratio{model_name="m"} 0.4',
    'vllm:kv_offload_cpu_cache_usage_perc{model_name="m"} 0.4',
    'kvasir_swap_bytes_total{direction="out",model_name="m"} 700',
    'vllm:kv_offload_total_bytes_total{transfer_type="GPU_to_CPU",model_name="m"} 700',
    'vllm:kv_offload_total_bytes_total{transfer_type="CPU_to_GPU",model_name="m"} 500',
    'vllm:kv_offload_total_time_total{transfer_type="CPU_to_GPU",model_name="m"} 0.02',
  ])
    expect(text.split('\n')).toContain(line)
  await llm.dispose()
})

it('has nothing of swap to tell where there is none', async () => {
  const llm = scripted([])
  const text = await new Metrics(llm, 'm').text()
  expect(text).toContain('kvasir_swap_usage_ratio{model_name="m"} 0\n')
  expect(text).not.toMatch(/^kvasir_swap_bytes_total\{/m)
  await llm.dispose()
})

// What a model gets by default, on machines of every size.
import { expect, it } from 'vitest'
import { pageBytes, planMemory } from '../../lib/engine/plan-memory.ts'
import type { Machine } from '../../lib/machine/machine.ts'
import { threadsFor } from '../../lib/machine/machine.ts'
import { tiny } from '../models/tiny.ts'

const GB = 2 ** 30
// Llama 3.2 1B in its sizes of heads: a page takes 557,056 bytes.
const config = { ...tiny(), num_hidden_layers: 16, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 64 }
const model = { ...config, max_position_embeddings: 131_072 }
const page = pageBytes(model, 'kv8')
const host = (parts: Partial<Machine>): Machine => ({
  ...{ cpu: '', threads: 8, isas: [], cpuQuota: null, memory: 64 * GB, available: 60 * GB },
  ...{ memoryLimit: null, memoryUsed: null, power: 'unknown', ...parts },
})

it('a large machine holds every sequence at full context', () => {
  const plan = planMemory(model, {}, host({}))
  expect(plan).toMatchObject({
    kv: 'kv8',
    limits: { context: 8192, maxSequences: 64, maxTokens: 256 },
    pages: 64 * 256,
  })
  expect(plan.kvBytes).toBe(plan.pages * page)
  expect(plan.why).toMatchObject({
    context: 'the usual most; the model was trained for 131072',
    kv: '64 sequences at full context',
  })
})

it('a smaller one holds fewer, within a quarter of it and half of what is available', () => {
  const quarter = planMemory(model, {}, host({ memory: 8 * GB, available: 7 * GB }))
  expect(quarter.pages).toBe(Math.floor((2 * GB) / page))
  expect(quarter.why.kv).toMatch(/^15 of 64 sequences at full context: a quarter of the memory of the machine$/)
  const busy = planMemory(model, {}, host({ memory: 8 * GB, available: GB }))
  expect(busy.pages).toBe(Math.floor(GB / 2 / page))
  expect(busy.why.kv).toMatch(/half of the available memory that the weights leave/)
})

it('leaves the weights in memory where they fit, and a tenth to the cache where they do not', () => {
  const small = host({ memory: 8 * GB, available: 4 * GB })
  const budget = (weightBytes: number) => planMemory(model, {}, small, { weightBytes }).pages
  expect([0, 2.5, 3.5, 20].map((gb) => budget(gb * GB))).toEqual(
    [2, 0.75, 0.4, 0.4].map((gb) => Math.floor((gb * GB) / page)),
  )
})

it('a cgroup counts as the machine does, and takes from the context when it must', () => {
  const box = host({ memoryLimit: GB / 4, memoryUsed: GB / 16, available: (3 * GB) / 16 })
  const plan = planMemory(model, {}, box)
  const pages = Math.floor(GB / 16 / page)
  expect(plan.limits.context).toBe(pages * 32)
  expect(plan.pages).toBe(pages)
  expect(plan.why.context).toBe('what fits a quarter of the memory that the cgroup allows')
  expect(planMemory(model, { context: 8192 }, box)).toMatchObject({ limits: { context: 8192 }, pages: 256 })
  const full = planMemory(model, {}, host({ memoryLimit: GB / 4, memoryUsed: GB / 4, available: 0 }))
  expect(full).toMatchObject({ limits: { context: 512 }, pages: 16 })
})

it('as many threads as the quota lets run', () => {
  expect([null, 0.5, 1, 2.5, 16].map((cpuQuota) => threadsFor(8, { cpuQuota }))).toEqual([8, 1, 1, 2, 8])
})

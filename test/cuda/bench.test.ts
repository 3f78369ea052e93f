// bench/gpu, which is for hosts with a card, runs to its end on the look-alike, at small sizes: the wrappers' vectors, every
// kernel against the processor's bits, the table and the line of JSON.
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildSimt, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

it('bench/gpu finds nothing wrong', () => {
  const env = { ...process.env, ...lookalike() }
  const vectors = join(temporaryFolder(), 'vectors')
  const program = join(buildSimt('gpu_bench'), 'gpu_bench')
  const lines = execFileSync(program, [vectors], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })
    .trim()
    .split('\n')
  const { figures, card } = JSON.parse(lines.at(-1)!)
  expect(card).toBe('Emulated card 0')
  expect(figures).toMatchObject({ 'wrappers that differ': 0, 'bytes that differ': 0 })
  expect(lines.filter((line) => /^linear /.test(line)).length).toBe(22)
  expect(statSync(vectors).size).toBe(2 * 17 * 32 * 8 * 4)
})

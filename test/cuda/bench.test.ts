// bench/gpu, which is for hosts with a card, runs to its end on the look-alike, at small sizes: the wrappers' vectors, every
// kernel against the processor's bits, the table and the line of JSON.
import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildSimt, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

// Lines of linear and words of the vectors: a card of compute capability 9.0 has more kernels and more instructions.
it.each([
  ['80', 22, 2 * 17 * 32 * 8],
  ['90', 22 + 20, 2 * 17 * 32 * 8 + 128 * 32 + 14 * 128 * 64],
])('bench/gpu finds nothing wrong: compute capability %s', (compute, linear, words) => {
  const env = { ...process.env, ...lookalike({ KVASIR_SIMT_COMPUTE: compute }) }
  const folder = temporaryFolder()
  const vectors = join(folder, 'vectors')
  // One that finds nothing: it runs the program that it is given.
  const sanitizer = '#!/bin/sh\nuntil [ -x "$1" ]; do shift; done\nexec "$@"\n'
  writeFileSync(join(folder, 'compute-sanitizer'), sanitizer, { mode: 0o755 })
  if (compute === '90') env.PATH = `${folder}:${env.PATH}`
  const program = join(buildSimt('gpu_bench'), 'gpu_bench')
  const lines = execFileSync(program, [vectors], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })
    .trim()
    .split('\n')
  const { figures, card } = JSON.parse(lines.at(-1)!)
  expect(card).toBe('Emulated card 0')
  expect(figures).toMatchObject({ 'wrappers that differ': 0, 'bytes that differ': 0 })
  const tools = lines.filter((line) => /check: nothing found$/.test(line))
  if (compute === '90') expect(tools.length).toBe(4)
  else expect(lines).toContain('compute-sanitizer is not on this machine')
  expect(lines.filter((line) => /^linear /.test(line)).length).toBe(linear)
  expect(lines.filter((line) => /^attention by wgmma f16 /.test(line)).length).toBe(compute === '90' ? 2 : 0)
  expect(statSync(vectors).size).toBe(words * 4)
})

// The thread that compiles formats: the same words as here, errors with their codes, and an end to what is too much.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Compiler } from '../../lib/grammar/compiler.ts'
import type { OutputFormat } from '../../lib/grammar/format.ts'
import { wordsOf } from './harness.ts'

const entry = join(__dirname, '../../dist/grammar/worker.js') // npm test builds it
const compile = (compiler: Compiler, format: OutputFormat) => compiler.compile(JSON.stringify(format))

const formats: OutputFormat[] = [
  { type: 'json_object' },
  { type: 'regex', pattern: '\\p{Lu}[a-z]{2,9}' },
  { type: 'grammar', source: 'root ::= "a" | "b" root' },
  { type: 'json_schema', schema: { properties: { list: { type: 'array', items: { pattern: '^a+$' } } } } },
]
// The states of its automaton double with every place after the letter.
const slow = (count: number): OutputFormat => ({
  type: 'json_schema',
  schema: {
    properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`name ${i}`, { pattern: `a[ab]{10}$` }])),
  },
})

describe('the compiler of formats', () => {
  it.each([
    ['on its thread', entry],
    ['in turns, where no thread can be started', join(__dirname, 'missing.js')],
  ])('gives what compiling here gives: %s', async (_, entry) => {
    const compiler = new Compiler({ entry, idleMs: 0 })
    const all = await Promise.all(formats.map((format) => compile(compiler, format)))
    expect(all).toEqual(formats.map(wordsOf))
    for (const format of formats) expect(await compile(compiler, format)).toEqual(wordsOf(format))
    const wrong: OutputFormat = { type: 'json_schema', schema: { type: 'text' } }
    await expect(compile(compiler, wrong)).rejects.toMatchObject({ code: 'KV_ARGUMENT', name: 'KvasirError' })
    let deep: object = {}
    for (let i = 0; i < 400; i++) deep = { items: deep }
    expect((await compile(compiler, { type: 'json_schema', schema: deep })).length).toBeGreaterThan(400)
  })

  it('leaves the event loop free', async () => {
    const compiler = new Compiler({ entry, idleMs: 0 })
    await compile(compiler, formats[0]!)
    const turns = async (work: Promise<unknown>) => {
      let count = 0
      let busy = true
      work.finally(() => (busy = false)).catch(() => {})
      for (; busy; count++) await new Promise((resolve) => setTimeout(resolve, 1))
      return count
    }
    expect(await turns(compile(compiler, slow(100)))).toBeGreaterThan(10)
  })

  it('ends what takes too long, and goes on with the next', async () => {
    const compiler = new Compiler({ entry: join(__dirname, 'stuck-worker.cjs'), idleMs: 0, mostMs: 500 })
    const [first, second] = await Promise.allSettled([compile(compiler, formats[1]!), compile(compiler, formats[0]!)])
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'KV_UNSUPPORTED' } })
    expect(`${(first as PromiseRejectedResult).reason}`).toContain('0.5 s to compile')
    expect(second.status).toBe('fulfilled')
  })

  it('ends what takes too much memory, and goes on with the next', async () => {
    const compiler = new Compiler({ entry, idleMs: 0, mostMb: 12 })
    const names = Array.from({ length: 60_000 }, (_, i) => [`name ${i}`, {}])
    const large: OutputFormat = { type: 'json_schema', schema: { properties: Object.fromEntries(names) } }
    const [first, second] = await Promise.allSettled([compile(compiler, large), compile(compiler, formats[0]!)])
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'KV_UNSUPPORTED' } })
    expect(`${(first as PromiseRejectedResult).reason}`).toContain('12 MB to compile')
    expect(second.status).toBe('fulfilled')
  })
})

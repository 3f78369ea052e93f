// Models that are collected without dispose(). Each case is a process of its own, with --expose-gc.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const cwd = join(__dirname, '..', '..')

function run(body: string): string {
  const script = `const { scripted } = require('kvasir/testing')
    const collect = async () => {
      for (let i = 0; i < 20; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)) }
    }
    process.on('warning', ({ name, code }) => console.log(name, code));
    (async () => { ${body} })()`
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', '--no-warnings', '-e', script], {
    cwd,
    encoding: 'utf8',
  })
  return stdout.trim()
}

it('a forgotten model is reported, once', () => {
  expect(run(`(() => { scripted(['x']) })(); await collect(); await collect()`)).toBe('KvasirWarning KV_FORGOTTEN')
})

it('a disposed model, and one that is still known, are not', () => {
  expect(run(`await scripted([]).dispose(); const kept = scripted(['x']); await collect(); await kept.chat('a')`)).toBe(
    '',
  )
})

it('a model is not forgotten while it answers', () => {
  const text = run(`await (async () => {
      const answer = scripted([['a', 'b', 'c', 'd']], { delayMs: 30 }).chat('Hi')
      const [{ text }] = await Promise.all([answer, collect()])
      console.log(text)
    })()
    await collect()`)
  expect(text).toBe('abcd\nKvasirWarning KV_FORGOTTEN')
})

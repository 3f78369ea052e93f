// Downloads from a local server that cuts, lies, stalls and refuses.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { type DownloadOptions, download } from '../../lib/hub/download.ts'
import { fileServer, sha256 } from '../support/file-server.ts'
import { random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'

const folder = temporaryFolder()
const server = fileServer()
const file = random(1).bytes(1_000_000)
const promised: DownloadOptions = { bytes: file.length, sha256: sha256(file) }
let path = ''
let made = 0

beforeEach(() => {
  path = join(folder, `file-${made++}.gguf`)
  Object.assign(server, { requests: [], cuts: [], instead: undefined, ranges: true, delay: 0 })
  server.files.set('/file', file)
})

const fetchFile = (options: DownloadOptions = promised) => download(`${server.url}/file`, path, options)
const expectWhole = () => {
  expect(readFileSync(path).equals(file)).toBe(true)
  expect(existsSync(`${path}.part`)).toBe(false)
}

describe('arrives whole', () => {
  test('at once, with progress to the end', async () => {
    const progress: [number, number][] = []
    await fetchFile({ ...promised, onProgress: (done, total) => progress.push([done, total]) })
    expectWhole()
    expect(progress[0]).toEqual([0, file.length])
    expect(progress.at(-1)).toEqual([file.length, file.length])
    expect(server.requests).toEqual([''])
  })

  test('after two cuts, each taken up where it ended', async () => {
    server.cuts = [300_000, 200_000]
    await fetchFile()
    expectWhole()
    expect(server.requests[0]).toBe('')
    const starts = server.requests.slice(1).map((range) => Number(range.match(/bytes=(\d+)-/)![1]))
    expect(starts).toHaveLength(2)
    expect(starts[0]!).toBeGreaterThan(0)
    expect(starts[1]!).toBeGreaterThan(starts[0]!)
  })

  test('from what an earlier process left', async () => {
    writeFileSync(`${path}.part`, file.subarray(0, 123_456))
    await fetchFile()
    expectWhole()
    expect(server.requests).toEqual(['bytes=123456-'])
  })

  test('when the server ignores ranges', async () => {
    server.ranges = false
    writeFileSync(`${path}.part`, file.subarray(0, 123_456))
    await fetchFile()
    expectWhole()
  })

  test('when what was left is of another file', async () => {
    writeFileSync(`${path}.part`, new Uint8Array(500_000))
    await fetchFile()
    expectWhole()
    expect(server.requests).toEqual(['bytes=500000-', ''])
  })

  test('when more was left than there is to have', async () => {
    writeFileSync(`${path}.part`, new Uint8Array(file.length + 5))
    await fetchFile()
    expectWhole()
  })

  test('without a checksum nothing is continued', async () => {
    writeFileSync(`${path}.part`, new Uint8Array(10))
    await fetchFile({})
    expectWhole()
    expect(server.requests).toEqual([''])
  })
})

describe('fails with a reason', () => {
  const fails = (code: string, options?: DownloadOptions) => expect(fetchFile(options)).rejects.toMatchObject({ code })
  const nothing = () => expect(existsSync(path)).toBe(false)

  test('another file than promised: KV_CHECKSUM, and nothing is kept', async () => {
    server.files.set('/file', random(2).bytes(file.length))
    await fails('KV_CHECKSUM')
    nothing()
    expect(existsSync(`${path}.part`)).toBe(false)
  })

  test('more bytes than promised', async () => {
    server.files.set('/file', new Uint8Array(file.length + 1))
    await expect(fetchFile()).rejects.toMatchObject({ code: expect.stringMatching(/KV_CHECKSUM|KV_NETWORK/) })
    nothing()
  })

  test('404', async () => {
    server.files.clear()
    await fails('KV_NOT_FOUND')
    nothing()
  })

  test.each([403, 500, 503])('%i', async (status) => {
    server.instead = (_, response) => response.writeHead(status).end()
    await fails('KV_NETWORK')
    expect(server.requests).toHaveLength(1)
  })

  test('416 to a request for everything', async () => {
    server.instead = (_, response) => response.writeHead(416).end()
    await fails('KV_NETWORK')
  })

  test('no server', async () => {
    const started = performance.now()
    await expect(download('http://127.0.0.1:9/file', path, promised)).rejects.toMatchObject({ code: 'KV_NETWORK' })
    await expect(download('http://no-such-host.invalid/file', path, promised)).rejects.toMatchObject({
      code: 'KV_NETWORK',
    })
    expect(performance.now() - started).toBeLessThan(11_000)
  })

  test('a server that accepts and says nothing is left after five seconds', async () => {
    server.instead = () => {}
    const started = performance.now()
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'KV_NETWORK',
      message: expect.stringContaining('5 seconds'),
    })
    expect(performance.now() - started).toBeLessThan(8000)
  })

  test('a cut without a byte is not tried again', async () => {
    server.instead = (request) => request.socket.destroy()
    await fails('KV_NETWORK')
    expect(server.requests).toHaveLength(1)
  })

  test('abort: KV_ABORTED, and what arrived serves the next call', async () => {
    server.delay = 20
    const controller = new AbortController()
    const onProgress = (done: number) => done > 200_000 && controller.abort()
    await fails('KV_ABORTED', { ...promised, signal: controller.signal, onProgress })
    nothing()
    server.delay = 0
    await fetchFile()
    expectWhole()
    expect(server.requests[1]).toMatch(/^bytes=[1-9]/)
  })

  test('aborted before it began', async () => {
    await fails('KV_ABORTED', { ...promised, signal: AbortSignal.abort() })
    nothing()
  })

  test('more than fits on the disk: KV_DISK before a byte is fetched', async () => {
    await fails('KV_DISK', { ...promised, bytes: 2 ** 52 })
    expect(server.requests).toEqual([])
  })

  test.runIf(existsSync('/dev/full'))('a disk that fills up', async () => {
    symlinkSync('/dev/full', `${path}.part`)
    await expect(fetchFile()).rejects.toMatchObject({ code: 'KV_DISK', message: expect.stringContaining('full') })
    rmSync(`${path}.part`)
  })

  test('a folder that cannot be made', async () => {
    writeFileSync(path, '')
    await expect(download(`${server.url}/file`, join(path, 'below'), promised)).rejects.toMatchObject({
      code: 'KV_DISK',
    })
    mkdirSync(`${path}.dir.part`, { recursive: true })
    await expect(download(`${server.url}/file`, `${path}.dir`, promised)).rejects.toMatchObject({ code: 'KV_DISK' })
  })
})

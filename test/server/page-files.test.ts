// The files of the page as any client gets them.
import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { serving } from './client.ts'

describe('files of the page', () => {
  it('come compressed, with a policy, and not twice', async () => {
    const { url } = await serving([])
    const names = ['/', '/page/main.js', '/page/theme.js', '/page/page.css', '/page/icon.svg']
    let bytes = 0
    for (const name of names) {
      const plain = await fetch(url + name, { headers: { 'accept-encoding': 'identity' } })
      expect(plain.status, name).toBe(200)
      expect(plain.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /)
      expect(plain.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|http/)
      expect(plain.headers.get('x-content-type-options')).toBe('nosniff')
      const text = await plain.text()
      if (/\.(js|css)$/.test(name)) bytes += text.length
      expect(text).not.toMatch(/(src|href|url\(|import)\s*[=(]?\s*["']?https?:/)
      const etag = plain.headers.get('etag')!
      const again = await fetch(url + name, { headers: { 'if-none-match': etag } })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
    expect(bytes).toBeLessThan(66_000)
  })

  it('are compressed for who can read that', async () => {
    const { url } = await serving([])
    const body = await new Promise<Buffer>((resolve, reject) => {
      request(`${url}/page/main.js`, { headers: { 'accept-encoding': 'br, gzip' } }, async (response) => {
        expect(response.headers['content-encoding']).toBe('gzip')
        resolve(Buffer.concat(await response.toArray()))
      })
        .on('error', reject)
        .end()
    })
    expect(gunzipSync(body).toString()).toContain('kvasir.conversations')
  })

  it('are nothing outside their folder', async () => {
    const { url } = await serving([])
    for (const name of ['/page/', '/page/..%2findex.js', '/page/%2e%2e/index.js', '/page/wire.js', '/page/main.js.map'])
      expect((await fetch(url + name)).status, name).toBe(404)
  })

  it('are not there where nobody wants them', async () => {
    const { url } = await serving([], { page: false })
    for (const name of ['/', '/page/main.js', '/live']) expect((await fetch(url + name)).status, name).toBe(404)
  })
})

// GET / and /page/…: the page, from dist/server/page, where `npm run build:ts` puts it. Read and compressed once; a
// browser that has it asks only whether it is still the same. The policy lets nothing in that is not ours, and nothing out.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Hono } from 'hono'
import type { Ctx, Env } from './shared.ts'

const FOLDER = join(__dirname, '..', '..', 'dist', 'server', 'page')

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

// Trusted types: no script of the page can make markup of a string, so no text of a model ever becomes any.
const POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'",
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
}

interface File {
  type: string
  etag: string
  plain: Buffer<ArrayBuffer>
  zipped: Buffer<ArrayBuffer>
}

export function page(app: Hono<Env>): void {
  let files: Map<string, File> | undefined
  const send = (c: Ctx, name: string) => {
    files ??= readFiles()
    const file = files.get(name)
    return file ? answer(c, file) : c.notFound()
  }
  app.get('/', (c) => send(c, 'index.html'))
  app.get('/page/:name', (c) => send(c, c.req.param('name')))
}

function readFiles(): Map<string, File> {
  const files = new Map<string, File>()
  for (const name of readdirSync(FOLDER)) {
    const type = TYPES[extname(name)]
    if (!type) continue
    const plain = readFileSync(join(FOLDER, name))
    const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
    files.set(name, { type, etag, plain, zipped: gzipSync(plain, { level: 9 }) })
  }
  return files
}

function answer(c: Ctx, { type, etag, plain, zipped }: File): Response {
  const headers: Record<string, string> = { ...HEADERS, 'content-type': type, etag }
  const known = c.req.header('if-none-match')?.split(/\s*,\s*/)
  if (known?.includes(etag)) return c.body(null, 304, headers)
  const zip = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
  if (zip) headers['content-encoding'] = 'gzip'
  return c.body(zip ? zipped : plain, 200, headers)
}

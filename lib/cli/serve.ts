// kvasir serve MODEL: the model behind OpenAI's HTTP API, until a signal ends it.
import { parseArgs } from 'node:util'
import { destination, pino, stdTimeFunctions } from 'pino'
import { KvasirError } from '../errors.ts'
import type { LoadOptions } from '../index.ts'
import {
  type Logger,
  readTenants,
  type Server,
  type ServerOptions,
  serve,
  type TenantOptions,
} from '../server/index.ts'
import { loadOptions, modelFlags, number, optional } from './flags.ts'
import { openModel } from './open-model.ts'

const flags = {
  ...modelFlags,
  host: { type: 'string' },
  port: { type: 'string' },
  name: { type: 'string', multiple: true },
  sequences: { type: 'string' },
  swap: { type: 'string' },
  'swap-folder': { type: 'string' },
  'api-key': { type: 'string' },
  keys: { type: 'string' },
  cors: { type: 'string', multiple: true },
  'max-queued': { type: 'string' },
  'max-body': { type: 'string' },
  'log-level': { type: 'string' },
  'no-page': { type: 'boolean' },
} as const

const help = `kvasir serve MODEL

  --host ADDRESS        default 127.0.0.1, this machine alone      --port N   default 8080
  --name NAME           what clients call the model; may be repeated
  --threads N           default: the physical cores
  --context N           tokens of a prompt and its answer
  --sequences N         requests computed at once; more wait in line
  --kv kv8|f16|f32      format of the KV cache
  --weights FORMAT      auto (default), as-is, or q8_0, q4_k …: smaller ones are written to the cache once
  --priority LEVEL      auto (default: background on battery), normal, background
  --keep-memory         of the KV cache, even when the machine is short of it
  --swap BYTES          room outside the KV cache for requests that give way; 0: none
  --swap-folder FOLDER  … in a file there, not in memory
  --api-key KEY         let in who sends it; or KVASIR_API_KEY
  --keys FILE           keys of many tenants, with classes and limits (docs/server.md)
  --cors ORIGIN         pages of this origin may ask; * is any; may be repeated
  --max-queued N        requests that may wait, default 1024
  --max-body BYTES      of a request, default 4 MB
  --log-level LEVEL     of the lines on stderr: error, warn, info (default), silent
  --no-page             no page at /\n`

type Values = ReturnType<typeof parse>['values']

const parse = (argv: string[]) => parseArgs({ args: argv, allowPositionals: true, options: flags })

export async function serveCommand(argv: string[]): Promise<void> {
  const { values, positionals } = parse(argv)
  if (values.help) return void process.stdout.write(help)
  const [model] = positionals
  if (model === undefined) throw new KvasirError('KV_ARGUMENT', 'expected a model: kvasir serve MODEL')
  const options = await serverOptions(values) // a mistake is told before a model is loaded

  const llm = await openModel(model, {
    ...loadOptions(values),
    ...optional('maxSequences', number(values, 'sequences')),
    ...optional('swap', swapOption(values)),
  })
  try {
    const server = await serve(llm, { names: values.name ?? [...new Set([model, llm.info.name])], ...options })
    process.stdout.write(`${llm.info.name} at ${server.url}\n`)
    await signalled(server)
  } finally {
    await llm.dispose()
  }
}

function swapOption(values: Values): LoadOptions['swap'] {
  const bytes = number(values, 'swap')
  if (values['swap-folder'] !== undefined && bytes === undefined)
    throw new KvasirError('KV_ARGUMENT', '--swap-folder: expected --swap BYTES with it')
  if (bytes === undefined) return undefined
  return bytes === 0 ? false : { bytes, ...optional('folder', values['swap-folder']) }
}

async function serverOptions(values: Values): Promise<ServerOptions> {
  const level = values['log-level'] ?? 'info'
  if (!['error', 'warn', 'info', 'silent'].includes(level))
    throw new KvasirError('KV_ARGUMENT', `--log-level: expected error, warn, info or silent, found ${level}`)
  return {
    logger: logger(level),
    tenants: await tenants(values),
    page: !values['no-page'],
    ...optional('host', values.host),
    ...optional('port', number(values, 'port')),
    ...optional('cors', values.cors?.includes('*') ? '*' : values.cors),
    ...optional('maxQueued', number(values, 'max-queued')),
    ...optional('maxBodyBytes', number(values, 'max-body')),
  }
}

function logger(level: string): Logger {
  const formatters = { level: (label: string) => ({ level: label }) }
  const options = { level, base: null, formatters, timestamp: stdTimeFunctions.isoTime }
  return pino(options, destination({ dest: 2, sync: true })) // stderr
}

async function tenants(values: Values): Promise<TenantOptions[]> {
  const key = values['api-key'] ?? process.env['KVASIR_API_KEY']
  const own: TenantOptions[] = key ? [{ name: 'default', keys: [key], class: 'interactive' }] : []
  return values.keys === undefined ? own : [...own, ...(await readTenants(values.keys))]
}

// The first signal ends the server in order: what has begun is answered. The second ends it at once.
async function signalled(server: Server): Promise<void> {
  const now = new AbortController()
  await new Promise<void>((resolve) => {
    const stop = () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => now.abort())
      resolve(server.close(now.signal))
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
  })
}

// kvasir doctor [MODEL]: what was found, what was chosen and why, and what to do. Exits with 1 when Kvasir cannot work.
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { modelFolder } from '../hub/cache.ts'
import { resolveModel } from '../hub/resolve.ts'
import { freeDisk, type Machine, machine, threadsFor } from '../machine/machine.ts'
import { openCheckpoint } from '../weights/open.ts'
import { choicesFor } from './choices.ts'
import { type Facts, type Finding, findings } from './doctor/findings.ts'
import { probeAddon, probeBandwidth, probeCuda, probeLoad } from './doctor/probe.ts'

const USAGE = `kvasir doctor [MODEL]

Tells what was found on this machine, what was chosen and why, and what to do where something is wrong.
MODEL is loaded for a test, in a process of its own; without it, the smallest one in the cache.

  --json   for programs
`

const OVERRIDES = [
  'KVASIR_ISA',
  'KVASIR_LIBCUDA',
  'KVASIR_CUDA_KERNELS',
  'KVASIR_CUDA_WGMMA',
  'KVASIR_CACHE',
  'KVASIR_PREBUILD',
  'HF_ENDPOINT',
  'PREBUILDS_ONLY',
  'LIBC',
]

export async function doctorCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return void process.stdout.write(USAGE)
  if (positionals.length > 1) throw new KvasirError('KV_ARGUMENT', `doctor takes one model, got ${positionals.length}`)
  const facts = await examine(positionals[0])
  const found = findings(facts)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...facts, findings: found }, null, 2)}\n`)
  else process.stdout.write(found.map(line).join(''))
  const failures = found.filter(({ failed }) => failed)
  if (failures.length > 0)
    throw new KvasirError('KV_ADDON', `cannot work here; see ${failures.map(({ label }) => label).join(' and ')} above`)
}

async function examine(model: string | undefined): Promise<Facts> {
  const host = machine()
  const addon = await probeAddon()
  const cache = cacheFacts(modelFolder())
  const smallest = [...cache.models].sort((a, b) => a.bytes - b.bytes)[0]
  const tried = model ?? (smallest ? join(cache.folder, smallest.file) : null)
  const path = tried === null ? null : await resolveModel(tried)
  return {
    versions: versions(),
    machine: host,
    addon,
    bandwidth: addon.ok ? await probeBandwidth(threadsFor(addon.value.cores, host)) : null,
    cuda: addon.ok ? await probeCuda() : null,
    cache,
    model: path,
    load: addon.ok && path !== null ? await probeLoad(path) : null,
    ...(await known(path, host)),
    overrides: Object.fromEntries(OVERRIDES.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
  }
}

// What cannot be opened is told by the test load.
async function known(path: string | null, host: Machine): Promise<Pick<Facts, 'plan' | 'warnings'>> {
  const checkpoint = path === null ? undefined : await openCheckpoint(path).catch(() => undefined)
  if (!checkpoint) return { plan: null, warnings: [] }
  return { plan: choicesFor(checkpoint, host), warnings: checkpoint.warnings }
}

function versions(): Facts['versions'] {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8'))
  const { bun, deno, electron, node } = process.versions
  const other = Object.entries({ Bun: bun, Deno: deno, Electron: electron }).find(([, known]) => known)
  const header = (process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined)?.header
  const libc = header?.glibcVersionRuntime ? `, glibc ${header.glibcVersionRuntime}` : ''
  return {
    kvasir: version,
    runtime: other ? `${other[0]} ${other[1]} (Node ${node})` : `Node ${node}`,
    system: `${process.platform}-${process.arch}${libc}`,
  }
}

function cacheFacts(folder: string): Facts['cache'] {
  let files: string[] = []
  try {
    files = readdirSync(folder)
  } catch {} // not made yet
  const models = files
    .map((file) => ({ file, bytes: statSync(join(folder, file)).size }))
    .filter(({ file, bytes }) => /\.(gguf|safetensors)$/.test(file) && bytes > 0)
  return { folder, writable: writable(folder), free: freeDisk(folder), models }
}

// The folder, or the nearest one above it that exists: where it would be made.
function writable(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    try {
      accessSync(path, constants.W_OK)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) return false
    }
  }
}

function line({ label, text, advice, failed }: Finding): string {
  const mark = failed ? '✗' : advice ? '!' : '✓'
  return `${mark} ${label.padEnd(12)} ${text}\n${advice ? `${' '.repeat(15)}→ ${advice}\n` : ''}`
}

// npm run bench:edge [-- --gigabytes 1.5] [-- --limit 1] [-- --format q8_0|q4_0] [-- --tokens 12]: a model that is larger
// than the memory that its process may use. It runs from the map: what does not fit is read again. The KV cache is halved
// in the middle of the answer. The same without a limit stands beside it.
//
// Needs the right to make a memory cgroup (root, version 1 or 2), and room for the model in the temporary folder.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import type { EdgeProbe } from './edge/probe.ts'
import { type Format, writeRandomModel } from './edge/random-model.ts'
import { check, digits, main, printResult, printTable, progress } from './harness.ts'

/** A memory cgroup of `bytes`; undefined where none can be made. */
function memoryGroup(bytes: number): string | undefined {
  for (const [root, file] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const folder = join(root, `kvasir-edge-${process.pid}`)
    try {
      mkdirSync(folder)
      if (!existsSync(join(folder, file))) throw new Error('no memory controller')
      writeFileSync(join(folder, file), String(bytes))
      return folder
    } catch {
      if (existsSync(folder)) rmdirSync(folder)
    }
  }
  return undefined
}

/** Runs the probe, in `group` where there is one, with nothing of the model in the page cache. */
function run(model: string, tokens: number, group?: string): Promise<EdgeProbe> {
  execFileSync('dd', [`if=${model}`, 'iflag=nocache', 'count=0', 'status=none'])
  const join_ = group ? `echo $$ > ${join(group, 'cgroup.procs')} && ` : ''
  const command = `${join_}exec "$0" "$@"`
  const child = spawn(
    'sh',
    ['-c', command, process.execPath, join(__dirname, 'edge', 'probe.js'), model, String(tokens)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  return new Promise((resolve, reject) => {
    child.on('close', (status, signal) => {
      if (status === 0) resolve(JSON.parse(output))
      else reject(new Error(`the probe ended with ${signal ?? `status ${status}`}`))
    })
  })
}

main(async () => {
  const { values } = parseArgs({
    options: {
      gigabytes: { type: 'string', default: '1.5' },
      limit: { type: 'string', default: '1' },
      format: { type: 'string', default: 'q8_0' },
      tokens: { type: 'string', default: '12' },
    },
  })
  check(values.format === 'q8_0' || values.format === 'q4_0', `--format ${values.format} is neither q8_0 nor q4_0`)
  const tokens = Number(values.tokens)
  const limit = Number(values.limit) * 1e9
  const donor = await load('smollm2:135m')
  const { path, isa } = donor.info
  await donor.dispose()

  const folder = mkdtempSync(join(tmpdir(), 'kvasir-edge-'))
  const group = memoryGroup(limit)
  try {
    const model = join(folder, 'random.gguf')
    progress(`writing ${values.gigabytes} GB of random weights`)
    await writeRandomModel(model, path, values.format as Format, Number(values.gigabytes) * 1e9)
    execFileSync('sync', [model])
    const { size } = statSync(model)
    check(group !== undefined, 'no memory cgroup can be made here: run as root')
    const limited = await run(model, tokens, group)
    const free = await run(model, tokens)
    for (const one of [limited, free]) {
      check(one.tokens === tokens, `${one.tokens} tokens came, ${tokens} were asked for`)
      check(one.afterHalving > 0, 'nothing came after the KV cache was halved')
    }
    const row = (name: string, one: EdgeProbe) => [
      name,
      digits(one.tokensPerSecond),
      digits(one.loadMs),
      digits(one.peakBytes / 1e6),
      `${one.afterHalving} of ${one.tokens}`,
    ]
    printTable(
      [`${digits(size / 1e9)} GB of ${values.format}`, 'tokens/s', 'load ms', 'peak MB', 'after halving KV'],
      [row(`within ${values.limit} GB`, limited), row('without a limit', free)],
    )
    printResult(
      'edge',
      {
        model_gb: size / 1e9,
        limit_gb: limit / 1e9,
        limited_tokens_per_second: limited.tokensPerSecond,
        free_tokens_per_second: free.tokensPerSecond,
        limited_peak_mb: limited.peakBytes / 1e6,
        tokens_after_halving: limited.afterHalving,
      },
      isa,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
    if (group) rmdirSync(group)
  }
})

// npm run bench:edge [-- --gigabytes 1.5] [-- --limit 1] [-- --format q8_0|q4_0] [-- --tokens 12]: a model that is larger
// than the memory that its process may use. It runs from the map: what does not fit is read again for every token, at most
// as fast as the disk gives it, which the same run measures. Once the KV cache is halved in the middle of the answer, once it
// gives way by itself. The same without a limit stands beside it.
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
function run(model: string, tokens: number, mode: 'asked' | 'yield', group?: string): Promise<EdgeProbe> {
  execFileSync('dd', [`if=${model}`, 'iflag=nocache', 'count=0', 'status=none'])
  const join_ = group ? `echo $$ > ${join(group, 'cgroup.procs')} && ` : ''
  const command = `${join_}exec "$0" "$@"`
  const child = spawn(
    'sh',
    ['-c', command, process.execPath, join(__dirname, 'edge', 'probe.js'), model, String(tokens), mode],
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

/** Bytes a second that the disk gives, past the page cache: the best of three, as many threads as the probe has. */
function diskSpeed(model: string): number {
  const { size } = statSync(model)
  const half = Math.floor(size / 2 ** 23)
  const read = (skip: number) => `dd if="$0" of=/dev/null bs=4M iflag=direct status=none skip=${skip} count=${half}`
  const seconds = Array.from({ length: 3 }, () => {
    const begin = performance.now()
    execFileSync('sh', ['-c', `${read(0)} & ${read(half)}; wait`, model])
    return (performance.now() - begin) / 1000
  })
  return (2 * half * 2 ** 22) / Math.min(...seconds)
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
  const { path } = donor.info
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
    const asked = await run(model, tokens, 'asked', group)
    const yielded = await run(model, tokens, 'yield', group)
    const free = await run(model, tokens, 'asked')
    for (const one of [asked, yielded, free]) {
      check(one.tokens === tokens, `${one.tokens} tokens came, ${tokens} were asked for`)
      check(one.afterShrinking > 0, 'nothing came after the KV cache was made smaller')
    }
    check(yielded.stepsDown > 0, 'the KV cache did not give way')
    const disk = diskSpeed(model)
    const reading = disk / (size - limit)
    const row = (name: string, one: EdgeProbe) => [
      name,
      digits(one.tokensPerSecond),
      digits(one.loadMs),
      digits(one.peakBytes / 1e6),
      `${one.afterShrinking} of ${one.tokens}`,
    ]
    printTable(
      [`${digits(size / 1e9)} GB of ${values.format}`, 'tokens/s', 'load ms', 'peak MB', 'after KV shrank'],
      [
        row(`within ${values.limit} GB, KV halved by resize()`, asked),
        row(`within ${values.limit} GB, KV gave way: ${yielded.why}`, yielded),
        row('without a limit', free),
        [
          `reading ${digits((size - limit) / 1e9)} GB a token at ${digits(disk / 1e9)} GB/s`,
          digits(reading),
          '',
          '',
          '',
        ],
      ],
    )
    printResult(
      'edge',
      {
        model_gb: size / 1e9,
        limit_gb: limit / 1e9,
        limited_tokens_per_second: asked.tokensPerSecond,
        yielding_tokens_per_second: yielded.tokensPerSecond,
        free_tokens_per_second: free.tokensPerSecond,
        disk_gb_per_s: disk / 1e9,
        of_disk: asked.tokensPerSecond / reading,
        limited_peak_mb: asked.peakBytes / 1e6,
        tokens_after_halving: asked.afterShrinking,
        tokens_after_yielding: yielded.afterShrinking,
        kv_steps_down: yielded.stepsDown,
      },
      free.isa,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
    if (group) rmdirSync(group)
  }
})

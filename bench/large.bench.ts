// npm run bench:large [-- --format q4_0|q4_k|q8_0|f16 --rounds N]: a Llama of the shape of 1B models and of
// random weights, where the memory is the limit and not the caches.
//
//   decode   tokens a second, and the share of what the read bandwidth of the same run allows
//   prefill  a prompt of 512 tokens, beside node-llama-cpp in the same rounds
//   memory   the most that was resident beyond the file and the KV cache
//   cold     from load() to the first token with nothing of the file in memory, over the time to read the file once
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load } from 'kvasir'
import { KernelBench } from './cpu/kernels.ts'
import { type Format, writeRandomModel } from './edge/random-model.ts'
import { check, digits, type Figures, interleave, main, printResult, printTable, progress, spread } from './harness.ts'
import { competitors } from './peers/competitors.ts'
import { contest } from './peers/contest.ts'
import type { Probe } from './startup/probe.ts'

const SHAPE = { prompts: 1, prompt: 512, generate: 64 }
const TEXT = 'The quick brown fox jumps over the lazy dog. '
/** Bytes of a model of 16 layers. */
const BYTES = { q4_0: 0.61e9, q4_k: 0.61e9, q8_0: 1.14e9, f16: 2.15e9 }

const forget = (path: string) => execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'])
const seconds = async (work: () => void) => {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1e3
}
const probe = (path: string) =>
  JSON.parse(
    execFileSync(process.execPath, [join(__dirname, 'startup', 'probe.js'), path], { encoding: 'utf8' }),
  ) as Probe

/** Reading the file and answering from it, both from the disk, in turns. */
async function cold(path: string, rounds: number): Promise<{ ratio: number; beyondMb: number }> {
  const beyond: number[] = []
  const samples = await interleave(
    [
      {
        name: 'read',
        run: async () => {
          forget(path)
          return {
            seconds: await seconds(() => execFileSync('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'status=none'])),
          }
        },
      },
      {
        name: 'answer',
        run: async () => {
          forget(path)
          const { firstTokenMs, rss, kvBytes } = probe(path)
          beyond.push((rss.peak - statSync(path).size - kvBytes) / 1e6)
          return { seconds: firstTokenMs / 1e3 }
        },
      },
    ],
    rounds,
  )
  const median = (name: string) => spread(samples.get(name)!.get('seconds')!).median
  return { ratio: median('answer') / median('read'), beyondMb: spread(beyond).median }
}

main(async () => {
  const { values } = parseArgs({
    options: {
      format: { type: 'string', multiple: true, default: Object.keys(BYTES) },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const rounds = Number(values.rounds)
  const threads = Number(values.threads)
  const donor = await load('smollm2:135m')
  const { path: vocabulary, isa } = donor.info
  const ids = await donor.tokenize(TEXT.repeat(100), { special: false })
  await donor.dispose()
  const { gb_per_s: bandwidth } = new KernelBench().machine(threads)
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-large-'))
  const figures: Figures = { gb_per_s: bandwidth }
  const rows: string[][] = []
  try {
    for (const format of values.format as Format[]) {
      check(format in BYTES, `--format ${format} is none of ${Object.keys(BYTES).join(', ')}`)
      const path = join(folder, `${format}.gguf`)
      progress(`${format}: writing random weights`)
      await writeRandomModel(path, vocabulary, format, BYTES[format])
      execFileSync('sync', [path])
      const list = await competitors(path, threads, ['kvasir', 'node-llama-cpp'])
      const work = { shape: SHAPE, ids, rounds, sensible: false }
      const samples = await contest(list, work, ({ seconds, firstTokenSeconds: first }) => ({
        prefill: SHAPE.prompt / first,
        decode: (SHAPE.generate - 1) / (seconds - first),
      }))
      const median = (name: string, what: string) => spread(samples.get(name)?.get(what) ?? [0]).median
      const decode = median('kvasir', 'decode')
      const { ratio, beyondMb } = await cold(path, rounds)
      const found: Figures = {
        decode,
        of_bandwidth: (decode * statSync(path).size) / bandwidth / 1e9,
        prefill: median('kvasir', 'prefill'),
        peer_decode: median('node-llama-cpp', 'decode'),
        peer_prefill: median('node-llama-cpp', 'prefill'),
        beyond_mb: beyondMb,
        cold_over_read: ratio,
      }
      for (const [name, value] of Object.entries(found)) figures[`${format}_${name}`] = value
      rows.push([
        `${format}, ${digits(statSync(path).size / 1e9)} GB`,
        ...[decode, found['peer_decode']!].map(digits),
        `${digits(100 * found['of_bandwidth']!)} %`,
        ...[found['prefill']!, found['peer_prefill']!].map(digits),
        digits(beyondMb),
        `${digits(ratio)}×`,
      ])
      rmSync(path)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  printTable(
    ['', 'decode t/s', 'node-llama-cpp', 'of bandwidth', 'prefill t/s', 'node-llama-cpp', 'MB beyond', 'cold ÷ read'],
    rows,
  )
  printResult('large', figures, isa)
})

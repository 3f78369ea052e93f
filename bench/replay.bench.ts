// npm run bench:replay [-- AZURE.csv MOONCAKE.jsonl]: the scheduler on traces of real services, over a simulated card (an 8 B
// model on an H100), three classes. Without traces, on the small parts of them in bench/data.
//
//   - the highest load at which the rule of vLLM serves 90 % of the interactive requests as promised: what qos serves
//     there, and what is left for the batch class beside the best of all policies;
//   - goodput with the batch bounded by time alone, beside every bound on the number of sequences;
//   - prefix hits beside those of a cache without bounds; live tokens of pages, and who gives way where pages are few.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { digits, main, printResult, printTable, progress, ROOT } from './harness.ts'

interface Summary {
  policy: string
  classes: Record<'interactive' | 'batch', { attained: number; tokensPerSecond: number }>
  goodput: number
  pagesUsed: number
  pagesLive: number
  saturatedUsed: number
  saturatedHeld: number
  saturatedKept: number
  preempted: number
  hits: number
  idealHits: number
}

const BOUNDS = [16, 32, 64, 128, 256, 512]
const [LOWEST, HIGHEST] = [0.5, 16] // times as fast as the trace

function replay(trace: string, policies: string, ...flags: string[]): Summary[] {
  const cli = join(ROOT, 'dist/cli/main.js')
  const args = [cli, 'bench', 'replay', trace, '--policy', policies, '--json', ...flags]
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** The highest scale at which the rule of vLLM keeps 90 % of its promises to interactive requests. */
function saturation(trace: string): number {
  let [low, high] = [LOWEST, HIGHEST]
  while (high / low > 1.02) {
    const scale = Math.sqrt(low * high)
    const { attained } = replay(trace, 'vllm', '--scale', String(scale))[0]!.classes.interactive
    progress(`scale ${digits(scale)}: the rule of vLLM serves ${digits(100 * attained)} % as promised`)
    if (attained >= 0.9) low = scale
    else high = scale
  }
  return low
}

main(async () => {
  const { positionals } = parseArgs({ allowPositionals: true })
  const data = join(ROOT, 'bench/data')
  const azure = positionals[0] ?? join(data, 'azure-llm-2023-conv-600.csv')
  const mooncake = positionals[1] ?? join(data, 'mooncake-conversation-200.jsonl')

  const scale = saturation(azure)
  const at = ['--scale', String(scale)]
  const all = replay(azure, 'qos,vllm,sglang,fcfs', ...at)
  const [qos, vllm] = all as [Summary, Summary]
  const batch = Math.max(...all.map(({ classes }) => classes.batch.tokensPerSecond))
  const [free] = replay(azure, 'qos', ...at, '--sequences', '1024') as [Summary]
  const bounded = BOUNDS.map((bound) => replay(azure, 'qos', ...at, '--sequences', String(bound))[0]!.goodput)
  const best = Math.max(...bounded)
  progress(
    `goodput bounded by ${BOUNDS.join(', ')}: ${bounded.map(digits).join(', ')}; by time ${digits(free.goodput)}`,
  )
  const [shared] = replay(mooncake, 'qos', '--pages', '3000000') as [Summary]
  // One class, so that nobody gives way to a higher one: only for pages.
  const few = replay(azure, 'qos,vllm', '--scale', '5', '--pages', '2000', '--mix', '0,1,0') as [Summary, Summary]

  const percent = (share: number) => `${digits(100 * share)} %`
  printTable(
    [`at ${digits(scale)} times the trace`, 'qos', 'vllm'],
    [
      ['interactive, served as promised', ...[qos, vllm].map((one) => percent(one.classes.interactive.attained))],
      [
        'batch, tokens of the best policy',
        ...[qos, vllm].map((one) => percent(one.classes.batch.tokensPerSecond / batch)),
      ],
      ['live tokens of pages', ...[qos, vllm].map((one) => percent(one.pagesLive))],
      ['goodput, of the best bound on sequences', percent(free.goodput / best), ''],
      ['prefix hits, of the possible', percent(shared.hits / shared.idealHits), ''],
      ['pages few: used', ...few.map((one) => percent(one.pagesUsed))],
      ['  while somebody waits: held or kept', ...few.map((one) => percent(one.saturatedKept))],
      ['  … held or promised to who runs', ...few.map((one) => percent(one.saturatedUsed))],
      ['  … held by who runs', ...few.map((one) => percent(one.saturatedHeld))],
      ['  live tokens of them', ...few.map((one) => percent(one.pagesLive))],
      ['  requests that gave way', ...few.map((one) => percent(one.preempted))],
    ],
  )
  printResult(
    'replay',
    {
      scale,
      interactive_attained: qos.classes.interactive.attained,
      vllm_interactive_attained: vllm.classes.interactive.attained,
      batch_share_of_best: qos.classes.batch.tokensPerSecond / batch,
      goodput_share_of_best_bound: free.goodput / best,
      hits_share_of_ideal: shared.hits / shared.idealHits,
      live_share: qos.pagesLive,
      few_pages_used: few[0].pagesUsed,
      few_pages_occupied: few[0].saturatedKept,
      few_pages_promised: few[0].saturatedUsed,
      few_pages_held: few[0].saturatedHeld,
      few_pages_live: few[0].pagesLive,
      few_pages_preempted: few[0].preempted,
      vllm_few_pages_preempted: few[1].preempted,
    },
    'simulated',
  )
})

// npm run bench:quality [-- MODEL]: perplexity against Hugging Face transformers in float32 on the same weights.
//
// quality/reference.py has the protocol and wrote quality/reference.json. The ids must be the same ones, and the
// default arithmetic (8-bit activations, 8-bit KV) must be within half a percent; the status is 1 otherwise.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Llm, load } from 'kvasir'
import { check, type Figures, main, printResult, printTable, progress, ROOT } from './harness.ts'

const TOLERANCE = 0.005
const FORMATS = ['kv8', 'f16'] as const

interface Reference {
  text: { file: string; sha256: string }
  ids: { count: number; first: number[]; sha256: string }
  window: number
  perplexity: number
  scored: number
  windows: { tokens: number; nll: number }[]
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

async function referenceIds(llm: Llm, reference: Reference): Promise<number[]> {
  const text = readFileSync(join(ROOT, 'bench', 'data', reference.text.file))
  check(sha256(text) === reference.text.sha256, `${reference.text.file} is not the text of the reference`)
  const ids = (await llm.tokenize(text.toString('utf8'), { special: false })).slice(0, reference.ids.count)
  const bytes = Buffer.alloc(ids.length * 4)
  for (const [i, id] of ids.entries()) bytes.writeInt32LE(id, i * 4)
  check(
    sha256(bytes) === reference.ids.sha256,
    `${ids.length} ids from ${ids.slice(0, 16)}, the reference has ${reference.ids.count} from ${reference.ids.first}`,
  )
  return ids
}

async function windowNlls(llm: Llm, ids: readonly number[], window: number): Promise<number[]> {
  const nlls: number[] = []
  for (let begin = 0; begin < ids.length; begin += window) {
    const logprobs = await llm.score(ids.slice(begin, begin + window))
    nlls.push(-logprobs.reduce((sum, logprob) => sum + logprob, 0))
    progress(`window ${nlls.length}: ${nlls.at(-1)!.toFixed(1)}`)
  }
  return nlls
}

main(async () => {
  const reference = JSON.parse(readFileSync(join(ROOT, 'bench', 'quality', 'reference.json'), 'utf8')) as Reference
  const figures: Figures = { reference_perplexity: reference.perplexity }
  const rows: string[][] = [['transformers, float32', reference.perplexity.toFixed(4), '', '', '']]
  let isa = ''
  for (const kv of FORMATS) {
    await using llm = await load(process.argv[2] ?? 'smollm2:135m', { kv, context: reference.window, maxSequences: 1 })
    isa = llm.info.isa
    const ids = await referenceIds(llm, reference)
    const begin = performance.now()
    const nlls = await windowNlls(llm, ids, reference.window)
    const seconds = (performance.now() - begin) / 1e3

    const perplexity = Math.exp(nlls.reduce((sum, nll) => sum + nll, 0) / reference.scored)
    const change = perplexity / reference.perplexity - 1
    const worst = Math.max(...reference.windows.map(({ tokens, nll }, i) => Math.abs(nlls[i]! - nll) / (tokens - 1)))
    figures[`${kv}_perplexity`] = perplexity
    figures[`${kv}_change`] = change
    figures[`${kv}_tokens_per_second`] = ids.length / seconds
    rows.push([
      `kvasir, ${kv}`,
      perplexity.toFixed(4),
      `${change < 0 ? '−' : '+'}${Math.abs(change * 100).toFixed(3)} %`,
      worst.toFixed(4),
      (ids.length / seconds).toFixed(0),
    ])
  }
  printTable(['', 'perplexity', 'change', 'worst window, nats a token', 'tokens a second'], rows)
  printResult('quality', figures, isa)
  if (!FORMATS.every((kv) => Math.abs(figures[`${kv}_change`]!) <= TOLERANCE))
    throw new Error(`perplexity is off by more than ${TOLERANCE * 100} %`)
})

// Answers of a small model at temperature 1 to random schemas of real collections: how many of them ajv accepts (all of
// them should be), what was refused and why, how the event loop turns while schemas compile, and what masks cost a token:
// on a fresh grammar, and in the engine on the path of a step and beside it.
//
//   npm run test:schemas -- [--count 1000] [--from 0] [--seed 1] [--tokens 512]
import { parseArgs } from 'node:util'
import { type Llm, load } from 'kvasir'
import { digits, main, printResult, printTable, progress, quantile } from './harness'
import { collection, type RealSchema } from './schemas/collection'
import { loopWhileCompiling } from './schemas/loop'
import { Masks, tokensOf } from './schemas/masks'
import { validatorOf } from './schemas/validator'

const TOGETHER = 48

interface Judged extends RealSchema {
  validate: ReturnType<typeof validatorOf>
}

interface Tally {
  valid: number
  invalid: string[]
  cut: number
  refused: Map<string, string[]>
  answers: { format: object; tokens: readonly number[] }[]
  tokens: number
}

main(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      from: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      tokens: { type: 'string', default: '512' },
    },
  })
  const [count, from, seed, maxTokens] = [values.count, values.from, values.seed, values.tokens].map(Number) as number[]
  const all = shuffled(collection(), seed!)
  const { chosen, impossible } = judged(all.slice(from!), count!)
  progress(`${chosen.length} of ${all.length} schemas; ${impossible} drawn beside them are none that ajv compiles`)
  const loop = await loopWhileCompiling(chosen.map(({ schema }) => schema))
  const llm = await load(process.env['KVASIR_TEST_MODEL'] || 'smollm2:135m', { maxSequences: TOGETHER })
  const masks = new Masks(await tokensOf(llm.info.path))
  const tally: Tally = { valid: 0, invalid: [], cut: 0, refused: new Map(), answers: [], tokens: 0 }
  const began = performance.now()
  let next = 0
  const worker = async () => {
    for (let i = next++; i < chosen.length; i = next++) {
      await attempt(llm, chosen[i]!, i, maxTokens!, tally)
      if (i % 50 === 49) progress(`${i + 1} in ${digits((performance.now() - began) / 1000)} s`)
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, worker))
  const engine = inTheEngine(llm)
  await llm.dispose()
  // Only now: on two cores this would take turns with the steps.
  const us: number[] = []
  for (const { format, tokens } of tally.answers) us.push(...(await masks.times(format, tokens, maxTokens!)))
  const drawn = { schemas: chosen.length, replaced_without_validator: impossible }
  report(tally, us, llm.info.isa, drawn, { ...loop, ...engine })
})

/** The first `count` that ajv compiles: of the others nobody could say whether an answer is valid. */
function judged(schemas: readonly RealSchema[], count: number): { chosen: Judged[]; impossible: number } {
  const chosen: Judged[] = []
  let impossible = 0
  for (const one of schemas) {
    if (chosen.length === count) break
    try {
      chosen.push({ ...one, validate: validatorOf(one.schema) })
    } catch {
      impossible++
    }
  }
  return { chosen, impossible }
}

async function attempt(llm: Llm, { name, schema, validate }: Judged, seed: number, maxTokens: number, tally: Tally) {
  const format = { type: 'json_schema' as const, schema }
  try {
    const prompt = 'Give me an example of such a document, as JSON.'
    const answer = await llm.chat(prompt, { format, temperature: 1, topP: 1, seed, maxTokens })
    tally.tokens += answer.usage.completionTokens
    tally.answers.push({ format, tokens: answer.tokens })
    if (answer.finishReason === 'length') tally.cut++
    else if (accepted(validate, answer.text)) tally.valid++
    else tally.invalid.push(`${name}: ${answer.text.slice(0, 200)} ${JSON.stringify(validate.errors?.[0])}`)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    const reason =
      `${code ?? 'no code'} ${message.replace(/^format\.schema\S*\/([^/\s:]+)/, '$1').replace(/\d+/g, 'n')}`.slice(
        0,
        110,
      )
    tally.refused.set(reason, [...(tally.refused.get(reason) ?? []), name])
  }
}

function inTheEngine(llm: Llm): Record<string, number> {
  const { path, beside } = llm.stats().formats!
  return {
    step_path_us_median: path.medianUs,
    step_path_us_p99: path.p99Us,
    beside_step_us_median: beside.medianUs,
    beside_step_us_p99: beside.p99Us,
    masks_found_beside_share: beside.count / path.count,
  }
}

function accepted(validate: (value: unknown) => unknown, text: string): boolean {
  try {
    return validate(JSON.parse(text)) === true
  } catch {
    return false
  }
}

type Figures = Record<string, number>

function report(tally: Tally, us: number[], isa: string, drawn: Figures, more: Figures): void {
  const { valid, invalid, cut, refused, tokens } = tally
  for (const line of invalid) console.log(`invalid: ${line}`)
  const reasons = [...refused].sort((a, b) => b[1].length - a[1].length)
  if (reasons.length > 0)
    printTable(
      ['refused because', 'schemas'],
      reasons.map(([why, names]) => [why, String(names.length)]),
    )
  const sorted = us.sort((a, b) => a - b)
  const refusals = reasons.reduce((sum, [, names]) => sum + names.length, 0)
  const figures = {
    ...drawn,
    refused: refusals,
    answered: valid + invalid.length + cut,
    valid,
    invalid: invalid.length,
    cut_off: cut,
    tokens,
    mask_us_median: quantile(sorted, 0.5),
    mask_us_mean: sorted.reduce((sum, x) => sum + x, 0) / sorted.length,
    mask_us_p99: quantile(sorted, 0.99),
    ...more,
  }
  printTable(
    ['', ''],
    Object.entries(figures).map(([name, value]) => [name.replaceAll('_', ' '), digits(value)]),
  )
  printResult('schemas', figures, isa)
  if (invalid.length > 0) throw new Error(`${invalid.length} answers are not what their schemas ask for`)
}

function shuffled<T>(list: T[], seed: number): T[] {
  let state = seed
  const below = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * n)
  }
  for (let i = list.length - 1; i > 0; i--) {
    const k = below(i + 1)
    ;[list[i], list[k]] = [list[k]!, list[i]!]
  }
  return list
}

// Rounds of one shape of work over all competitors, interleaved, each answer checked.
import { type Contender, check, type Figures, interleave, progress, type Samples } from '../harness.ts'
import type { Competitor, Shape } from './competitors.ts'
import { ContenderProcess } from './contender-process.ts'
import type { TaskResult } from './protocol.ts'

export interface Contest {
  shape: Shape
  /** The ids from which prompts are cut: prompt i of a round begins at round + i. */
  ids: readonly number[]
  rounds: number
  /** Whether the answers mean anything. Those of random weights do not: there only their length is checked. */
  sensible: boolean
}

export async function contest(
  list: readonly Competitor[],
  { shape, ids, rounds, sensible }: Contest,
  measure: (result: TaskResult) => Figures,
): Promise<Samples> {
  const running: ContenderProcess[] = []
  const answers = new Map<number, number[][]>()
  try {
    const contenders: Contender[] = []
    for (const { name, command, args } of list) {
      const child = await ContenderProcess.start(name, command, args(shape))
      running.push(child)
      progress(`${name} ${child.version}: loaded in ${child.loadSeconds.toFixed(2)} s`)
      contenders.push({
        name,
        run: async (round) => {
          const prompts = Array.from({ length: shape.prompts }, (_, i) =>
            ids.slice(round + i, round + i + shape.prompt),
          )
          const result = await child.run({ prompts, generate: shape.generate })
          checkLengths(name, shape, result.tokens)
          if (sensible) checkAnswer(name, shape, result.tokens, answers, round, ids)
          return measure(result)
        },
      })
    }
    return await interleave(contenders, rounds)
  } finally {
    await Promise.all(running.map((child) => child.stop()))
  }
}

function checkLengths(name: string, shape: Shape, tokens: number[][]): void {
  check(
    tokens.length === shape.prompts && tokens.every((list) => list.length === shape.generate),
    `${name} generated ${tokens.map((list) => list.length)} tokens, ${shape.generate} were asked for`,
  )
}

/**
 * A long prompt of one sentence repeated is continued with that sentence by any correct engine; after a short one
 * engines may part at a near tie, so there three first tokens of four must be the same.
 */
function checkAnswer(
  name: string,
  shape: Shape,
  tokens: number[][],
  answers: Map<number, number[][]>,
  round: number,
  ids: readonly number[],
): void {
  if (shape.prompts === 1) {
    const wrong = tokens[0]!.findIndex((id, i) => id !== ids[round + shape.prompt + i])
    check(wrong < 0 || wrong >= 32, `${name} leaves the repeated sentence after ${wrong} tokens`)
  }
  const others = answers.get(round)
  if (!others) answers.set(round, tokens)
  else {
    const same = tokens.filter((list, i) => list[0] === others[i]![0]).length
    check(
      same >= 0.75 * shape.prompts,
      `${name} agrees with the first contender on ${same} first tokens of ${shape.prompts}`,
    )
  }
}

// The weights of a program in the order of the tape, and what its instructions need of their formats. Programs of one
// model share a list: a later program extends the list of the first, so that one set of weights is bound for all.
import type { Weight } from '../graph/graph.ts'
import { Need, type NeedName, NONE, type Operand, weightAt } from './instructions.ts'

export interface ProgramWeight {
  readonly name: string
  readonly rows: number
  readonly cols: number
  /** f32: must be bound as f32, converted if the checkpoint has it otherwise. */
  readonly need: NeedName
  /** The values, where they come from the config and not from the checkpoint. */
  readonly data?: Float32Array
}

export class WeightList {
  private readonly list: ProgramWeight[]
  private readonly indices: Map<string, number>

  constructor(shared: readonly ProgramWeight[] = []) {
    this.list = [...shared]
    this.indices = new Map(shared.map(({ name }, index) => [name, index]))
  }

  get all(): readonly ProgramWeight[] {
    return this.list
  }

  /** An operand that names `weight`; null is "none". */
  use(weight: Weight | null, need: NeedName): Operand {
    if (!weight) return NONE
    const { name, rows, cols, data } = weight
    const index = this.indices.get(name)
    if (index !== undefined) {
      const known = this.list[index]!
      this.list[index] = { ...known, need: both(known.need, need, name) }
      return weightAt(index)
    }
    this.indices.set(name, this.list.length)
    return weightAt(this.list.push({ name, rows, cols, need, ...(data && { data }) }) - 1)
  }
}

/** The need that satisfies both. */
function both(a: NeedName, b: NeedName, name: string): NeedName {
  const [looser, stricter] = Need[a] <= Need[b] ? [a, b] : [b, a]
  if (looser === stricter || looser === 'any') return stricter
  if (looser === 'f32' && stricter === 'floats') return 'f32'
  throw new Error(`weight ${name} is needed as ${a} and as ${b}`)
}

// Regular languages as deterministic automata over characters, for what rules cannot say: both of two languages at once,
// or one without another.
import { KvasirError } from '../errors.ts'
import { type CharSet, charSet } from './char-set.ts'
import { choice, EMPTY, type Node, type Rules, sequence } from './rules.ts'

const MOST_STATES = 4096
const MOST_PARTS = 1 << 16

/** Characters from `first` to `last` lead to `to`. */
interface Edge {
  first: number
  last: number
  to: number
}

export class Automaton {
  private constructor(
    /** Of each state, ascending and apart from each other. State 0 is the first. */
    private readonly edges: Edge[][],
    private readonly accepting: boolean[],
  ) {}

  /** Of a node without rules. Throws KV_UNSUPPORTED, naming `path`, when it gets too large. */
  static of(node: Node, path: string): Automaton {
    const parts = new Parts(path)
    const end = parts.add(node, 0)
    return Automaton.explore(path, [0], (states) => {
      const reached = parts.closure(states)
      return { key: reached.join(), accepts: reached.includes(end), moves: reached.flatMap((s) => parts.moves[s]!) }
    })
  }

  /** Of states 0 … count − 1, each described. Its moves are ascending and apart. */
  static machine(
    path: string,
    count: number,
    describe: (state: number) => { accepts: boolean; moves: (readonly [first: number, last: number, to: number])[] },
  ): Automaton {
    if (count > MOST_STATES)
      throw new KvasirError('KV_UNSUPPORTED', `${path}: it takes more than ${MOST_STATES} states; simplify it`)
    const states = Array.from({ length: count }, (_, state) => describe(state))
    return new Automaton(
      states.map(({ moves }) => moves.map(([first, last, to]) => ({ first, last, to }))),
      states.map(({ accepts }) => accepts),
    )
  }

  intersect(other: Automaton, path: string): Automaton {
    return this.product(other, path, true)
  }

  without(other: Automaton, path: string): Automaton {
    return this.product(other, path, false)
  }

  get isEmpty(): boolean {
    return !this.accepting.includes(true)
  }

  accepts(text: string): boolean {
    let state = 0
    for (const char of text) {
      const code = char.codePointAt(0)!
      const edge = this.edges[state]!.find(({ first, last }) => code >= first && code <= last)
      if (!edge) return false
      state = edge.to
    }
    return this.accepting[state]!
  }

  /** As rules, one a state, named after `name`; `write` says how a character of a set is spelt. */
  node(rules: Rules, name: string, write: (set: CharSet) => Node): Node {
    if (this.isEmpty) return choice()
    const of = (state: number): Node =>
      rules.define(`${name}.${state}`, () => {
        const targets = new Map<number, [number, number][]>()
        for (const { first, last, to } of this.edges[state]!)
          targets.set(to, [...(targets.get(to) ?? []), [first, last]])
        const options = [...targets].map(([to, ranges]) => {
          pending.push(to)
          return sequence(write(charSet(ranges)), { kind: 'rule', name: `${name}.${to}` })
        })
        return choice(...(this.accepting[state] ? [EMPTY] : []), ...options)
      })
    const pending: number[] = [0]
    for (let state = pending.pop(); state !== undefined; state = pending.pop()) of(state)
    return { kind: 'rule', name: `${name}.0` }
  }

  private product(other: Automaton, path: string, both: boolean): Automaton {
    const edgesOf = (automaton: Automaton, state: number) => (state < 0 ? [] : automaton.edges[state]!)
    return Automaton.explore(path, [0, 0], ([a, b]) => {
      const moves: Move[] = []
      // Where the other has no edge, it is in a state of its own, −1, that accepts nothing.
      for (const left of edgesOf(this, a!)) {
        let next = left.first
        for (const right of edgesOf(other, b!)) {
          if (right.last < next || right.first > left.last) continue
          if (!both && right.first > next) moves.push([next, right.first - 1, [left.to, -1]])
          next = Math.max(next, right.first)
          const last = Math.min(left.last, right.last)
          moves.push([next, last, [left.to, right.to]])
          next = last + 1
        }
        if (!both && next <= left.last) moves.push([next, left.last, [left.to, -1]])
      }
      const inOther = b! >= 0 && other.accepting[b!]!
      return { key: `${a},${b}`, accepts: this.accepting[a!]! && inOther === both, moves, pairs: true }
    })
  }

  private static explore(path: string, start: number[], look: (states: number[]) => Look): Automaton {
    const numbers = new Map<string, number>()
    const queue: Look[] = []
    const number = (states: number[]): number => {
      const seen = look(states)
      const known = numbers.get(seen.key)
      if (known !== undefined) return known
      if (queue.length >= MOST_STATES)
        throw new KvasirError('KV_UNSUPPORTED', `${path}: it takes more than ${MOST_STATES} states; simplify it`)
      numbers.set(seen.key, queue.length)
      queue.push(seen)
      return queue.length - 1
    }
    number(start)
    const edges: Edge[][] = []
    for (let i = 0; i < queue.length; i++) {
      const { moves, pairs } = queue[i]!
      const disjoint = pairs ? moves : split(moves)
      edges.push(disjoint.map(([first, last, states]) => ({ first, last, to: number(states) })))
    }
    return new Automaton(
      edges,
      queue.map(({ accepts }) => accepts),
    ).trimmed()
  }

  // Without the edges to states from which no text is accepted.
  private trimmed(): Automaton {
    const sources: number[][] = this.edges.map(() => [])
    this.edges.forEach((list, from) => {
      for (const { to } of list) sources[to]!.push(from)
    })
    const alive = [...this.accepting]
    const queue = [...alive.keys()].filter((state) => alive[state])
    for (let state = queue.pop(); state !== undefined; state = queue.pop())
      for (const from of sources[state]!)
        if (!alive[from]) {
          alive[from] = true
          queue.push(from)
        }
    return new Automaton(
      this.edges.map((list) => list.filter(({ to }) => alive[to])),
      this.accepting,
    )
  }
}

type Move = [first: number, last: number, states: number[]]

interface Look {
  key: string
  accepts: boolean
  moves: Move[]
  /** The moves are ascending and apart already. */
  pairs?: boolean
}

// Moves that overlap, as moves that do not: to all states of those that cover a character.
function split(moves: Move[]): Move[] {
  const cuts = [...new Set(moves.flatMap(([first, last]) => [first, last + 1]))].sort((a, b) => a - b)
  const sorted = [...moves].sort((a, b) => a[0] - b[0])
  const result: Move[] = []
  let active: Move[] = []
  let next = 0
  for (let i = 0; i + 1 < cuts.length; i++) {
    const first = cuts[i]!
    active = active.filter(([, last]) => last >= first)
    while (next < sorted.length && sorted[next]![0] <= first) active.push(sorted[next++]!)
    if (active.length > 0) result.push([first, cuts[i + 1]! - 1, active.flatMap(([, , states]) => states)])
  }
  return result
}

/** The parts of a node, with steps that read nothing between them. */
class Parts {
  readonly moves: Move[][] = [[]]
  private readonly free: number[][] = [[]]

  constructor(private readonly path: string) {}

  /** Adds what the node matches from `from`; the part after it. */
  add(node: Node, from: number): number {
    switch (node.kind) {
      case 'set': {
        const to = this.part()
        for (const [first, last] of node.set) this.moves[from]!.push([first, last, [to]])
        return to
      }
      case 'text':
        for (const char of node.text) {
          const code = char.codePointAt(0)!
          from = this.add({ kind: 'set', set: [[code, code]] }, from)
        }
        return from
      case 'sequence':
        for (const part of node.parts) from = this.add(part, from)
        return from
      case 'choice': {
        const end = this.part()
        for (const option of node.options) {
          const begin = this.part()
          this.free[from]!.push(begin)
          this.free[this.add(option, begin)]!.push(end)
        }
        return end
      }
      case 'repeat': {
        for (let i = 0; i < node.min; i++) from = this.add(node.node, from)
        const end = this.part()
        if (node.max === Infinity) {
          const loop = this.part()
          this.free[from]!.push(loop)
          this.free[loop]!.push(end)
          this.free[this.add(node.node, loop)]!.push(loop)
          return end
        }
        for (let i = node.min; i < node.max; i++) {
          this.free[from]!.push(end)
          from = this.add(node.node, from)
        }
        this.free[from]!.push(end)
        return end
      }
      case 'rule':
        throw new Error('an automaton has no rules')
    }
  }

  /** All parts that are reached without reading, ascending. */
  closure(states: number[]): number[] {
    const seen = new Set(states)
    for (const state of seen) for (const to of this.free[state]!) seen.add(to)
    return [...seen].sort((a, b) => a - b)
  }

  private part(): number {
    if (this.moves.length >= MOST_PARTS)
      throw new KvasirError('KV_UNSUPPORTED', `${this.path}: it has more than ${MOST_PARTS} parts; simplify it`)
    this.moves.push([])
    this.free.push([])
    return this.moves.length - 1
  }
}

// A grammar as rules in Backus-Naur form with repetition: what JSON schemas, regular expressions and the text of a
// grammar become before lib/grammar/encode.ts writes it for the device.
import { type CharSet, chars } from './char-set.ts'

export type Node =
  /** One character of the set. */
  | { kind: 'set'; set: CharSet }
  | { kind: 'text'; text: string }
  | { kind: 'sequence'; parts: readonly Node[] }
  /** Any one of them; of none, nothing at all matches. */
  | { kind: 'choice'; options: readonly Node[] }
  | { kind: 'repeat'; node: Node; min: number; max: number }
  | { kind: 'rule'; name: string }

/** Without rules: a regular language. */
export type Regular = Exclude<Node, { kind: 'rule' }>

export const EMPTY: Node = { kind: 'text', text: '' }
export const NOTHING: Node = { kind: 'choice', options: [] }

export const text = (text: string): Node => ({ kind: 'text', text })
export const set = (set: CharSet): Node => (set.length === 0 ? NOTHING : { kind: 'set', set })
export const oneOf = (characters: string): Node => set(chars(characters))
export const rule = (name: string): Node => ({ kind: 'rule', name })

export const isNothing = (node: Node): boolean => node.kind === 'choice' && node.options.length === 0
const isEmpty = (node: Node): boolean => node.kind === 'text' && node.text === ''

export function sequence(...parts: Node[]): Node {
  const flat: Node[] = []
  const add = (part: Node) => {
    const last = flat.at(-1)
    if (isEmpty(part)) return
    if (part.kind === 'text' && last?.kind === 'text') flat[flat.length - 1] = text(last.text + part.text)
    else flat.push(part)
  }
  for (const part of parts) {
    if (isNothing(part)) return NOTHING
    if (part.kind === 'sequence') for (const inner of part.parts) add(inner)
    else add(part)
  }
  return flat.length === 0 ? EMPTY : flat.length === 1 ? flat[0]! : { kind: 'sequence', parts: flat }
}

export function choice(...options: Node[]): Node {
  const flat: Node[] = []
  for (const option of options)
    if (option.kind === 'choice') for (const inner of option.options) flat.push(inner)
    else flat.push(option)
  return flat.length === 1 ? flat[0]! : { kind: 'choice', options: flat }
}

export function repeat(node: Node, min: number, max = Infinity): Node {
  if (max < min) return NOTHING
  if (max === 0 || isEmpty(node)) return EMPTY
  if (isNothing(node)) return min === 0 ? EMPTY : NOTHING
  return min === 1 && max === 1 ? node : { kind: 'repeat', node, min, max }
}

export const optional = (node: Node): Node => repeat(node, 0, 1)

/** Rules by name. */
export class Rules {
  private readonly nodes = new Map<string, Node>()

  has(name: string): boolean {
    return this.nodes.has(name)
  }

  get(name: string): Node | undefined {
    return this.nodes.get(name)
  }

  set(name: string, node: Node): void {
    this.nodes.set(name, node)
  }

  get size(): number {
    return this.nodes.size
  }

  names(): IterableIterator<string> {
    return this.nodes.keys()
  }

  /** The rule of this name; where it is missing, what `make` gives becomes it. It may be used while it is being made. */
  define(name: string, make: () => Node): Node {
    if (!this.nodes.has(name)) {
      this.nodes.set(name, NOTHING)
      this.nodes.set(name, make())
    }
    return rule(name)
  }
}

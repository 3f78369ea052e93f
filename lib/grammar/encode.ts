// Rules as the flat words that native/grammar/rules.h documents: characters become bytes, nesting becomes rules of its
// own, and what is repeated never matches nothing.
import { KvasirError } from '../errors.ts'
import { type CharSet, utf8Sequences } from './char-set.ts'
import { Nullables } from './nullables.ts'
import { NOTHING, type Node, type Rules } from './rules.ts'

const MAGIC = 0x4b564752
const MAX_WORDS = 1 << 22
const [BYTES, RULE, REPEAT] = [0, 1, 2]

/** Yields now and then, so that the event loop may turn. */
export function* encoding(rules: Rules, root: string): Generator<void, Int32Array> {
  const encoder = new Encoder(rules)
  encoder.ruleNamed(root)
  while (encoder.next()) yield
  return encoder.words()
}

class Encoder {
  private readonly sets = new Map<string, number>()
  private readonly setWords: number[] = []
  private readonly singles: number[] = [] // sets of one byte
  private readonly rules: number[][][] = [] // by number: alternatives, each words of elements with their count first
  private readonly numbers = new Map<string, number>()
  private readonly waiting: [number, Node][] = []
  private readonly nullables: Nullables
  private size = 0

  constructor(private readonly grammar: Rules) {
    this.nullables = new Nullables(grammar)
  }

  /** Writes one more rule; false when there is none. */
  next(): boolean {
    const job = this.waiting.pop()
    if (!job) return false
    const [number, node] = job
    const options = node.kind === 'choice' ? node.options : [node]
    const alternatives = options.map((option) => this.alternative(option))
    this.rules[number] = alternatives
    for (const words of alternatives) this.size += words.length
    if (this.size > MAX_WORDS)
      throw new KvasirError('KV_UNSUPPORTED', `format: its grammar is larger than ${MAX_WORDS} words; simplify it`)
    return true
  }

  words(): Int32Array {
    const out = [MAGIC, this.setWords.length / 8, this.rules.length, 0]
    for (const word of this.setWords) out.push(word)
    for (const alternatives of this.rules) {
      out.push(alternatives.length)
      for (const words of alternatives) for (const word of words) out.push(word)
    }
    return Int32Array.from(out)
  }

  ruleNamed(name: string): number {
    return this.numbered(`rule ${name}`, () => this.node(name))
  }

  private node(name: string): Node {
    const node = this.grammar.get(name)
    if (!node) throw new Error(`no rule is called ${name}`)
    return node
  }

  private numbered(key: string, node: () => Node): number {
    const known = this.numbers.get(key)
    if (known !== undefined) return known
    return this.add(node(), key)
  }

  private add(node: Node, key?: string): number {
    const number = this.rules.length
    this.rules.push([])
    if (key !== undefined) this.numbers.set(key, number)
    this.waiting.push([number, node])
    return number
  }

  private alternative(node: Node): number[] {
    const words = [0]
    for (const part of node.kind === 'sequence' ? node.parts : [node]) this.elements(part, words)
    return words
  }

  // Appends the elements of a node, and counts them in words[0].
  private elements(node: Node, words: number[]): void {
    const element = (...operands: number[]) => {
      words[0]!++
      words.push(...operands)
    }
    switch (node.kind) {
      case 'text':
        for (const byte of Buffer.from(node.text)) element(BYTES, this.singleByte(byte))
        return
      case 'set': {
        const sequences = utf8Sequences(node.set)
        if (sequences.every(({ length }) => length === 1)) element(BYTES, this.byteSet(sequences.flat()))
        else element(RULE, this.characters(node.set, sequences))
        return
      }
      case 'rule':
        element(RULE, this.ruleNamed(node.name))
        return
      case 'repeat': {
        const filled = this.nullables.filled(node.node)
        if (!filled) element(REPEAT, this.body(node.node), node.min, node.max === Infinity ? -1 : node.max)
        else if (filled !== NOTHING) element(REPEAT, this.body(filled), 0, node.max === Infinity ? -1 : node.max)
        return
      }
      default:
        element(RULE, this.add(node))
    }
  }

  private body(node: Node): number {
    return node.kind === 'rule' ? this.ruleNamed(node.name) : this.add(node)
  }

  // A set of characters of more than one byte is a rule: the sequences of byte ranges, those of one byte as one.
  private characters(set: CharSet, sequences: [number, number][][]): number {
    const key = `set ${set.join(' ')}`
    const known = this.numbers.get(key)
    if (known !== undefined) return known
    const single = sequences.filter(({ length }) => length === 1).flat()
    const alternatives = sequences
      .filter(({ length }) => length > 1)
      .map((ranges) => [ranges.length, ...ranges.flatMap((range) => [BYTES, this.byteSet([range])])])
    if (single.length > 0) alternatives.unshift([1, BYTES, this.byteSet(single)])
    const number = this.rules.length
    this.numbers.set(key, number)
    this.rules.push(alternatives)
    return number
  }

  private singleByte(byte: number): number {
    this.singles[byte] ??= this.byteSet([[byte, byte]])
    return this.singles[byte]
  }

  private byteSet(ranges: [number, number][]): number {
    const key = ranges.join(' ')
    const known = this.sets.get(key)
    if (known !== undefined) return known
    const words = new Int32Array(8)
    for (const [low, high] of ranges) for (let byte = low; byte <= high; byte++) words[byte >> 5]! |= 1 << (byte & 31)
    const number = this.sets.size
    this.sets.set(key, number)
    this.setWords.push(...words)
    return number
  }
}

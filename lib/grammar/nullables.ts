// Nodes that may match nothing: the device repeats none of them.
import { choice, EMPTY, NOTHING, type Node, type Rules, repeat, rule, sequence } from './rules.ts'

/** Which nodes may match nothing, and the same nodes without that. */
export class Nullables {
  private readonly named = new Map<string, boolean>()

  constructor(private readonly grammar: Rules) {}

  /** The node without the empty text; undefined where it has none anyway. */
  filled(node: Node): Node | undefined {
    return this.isNullable(node) ? this.without(node) : undefined
  }

  isNullable(node: Node): boolean {
    switch (node.kind) {
      case 'text':
        return node.text === ''
      case 'set':
        return false
      case 'sequence':
        return node.parts.every((part) => this.isNullable(part))
      case 'choice':
        return node.options.some((option) => this.isNullable(option))
      case 'repeat':
        return node.min === 0 || this.isNullable(node.node)
      case 'rule': {
        const known = this.named.get(node.name)
        if (known !== undefined) return known
        this.named.set(node.name, false) // a rule that is nullable only through itself is not
        const result = this.isNullable(this.grammar.get(node.name) ?? NOTHING)
        this.named.set(node.name, result)
        return result
      }
    }
  }

  private without(node: Node): Node {
    if (!this.isNullable(node)) return node
    switch (node.kind) {
      case 'text':
      case 'set':
        return NOTHING
      case 'choice':
        return choice(...node.options.map((option) => this.without(option)))
      case 'repeat':
        return sequence(this.without(node.node), repeat(node.node, 0, node.max - 1))
      case 'sequence': {
        // The first part that is not empty, and all after it.
        const options = node.parts.map((part, i) => sequence(this.without(part), ...node.parts.slice(i + 1)))
        return choice(...options)
      }
      case 'rule': {
        const name = `${node.name} filled`
        return this.grammar.define(name, () => this.without(this.grammar.get(node.name) ?? EMPTY)) ?? rule(name)
      }
    }
  }
}

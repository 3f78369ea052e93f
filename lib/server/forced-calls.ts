// Calls that the client insists on: the whole answer is their JSON, held to it by a schema.
import type { AnswerPart } from '../chat/answer-parts.ts'
import type { OutputFormat } from '../grammar/format.ts'
import type { Reader } from './conversation.ts'
import type { FunctionSpec, ToolChoice } from './schemas/tools.ts'

export interface Forced {
  format: OutputFormat
  reader(): Reader
}

/** undefined where the model decides. */
export function forcedCalls(tools: readonly FunctionSpec[], choice: ToolChoice, parallel: boolean): Forced | undefined {
  if (choice === 'none' || choice === 'auto') return undefined
  const only = typeof choice === 'object' ? choice.name : tools.length === 1 && !parallel ? tools[0]!.name : undefined
  if (only !== undefined) {
    const schema = parametersOf(tools.find(({ name }) => name === only)!)
    const read = (text: string) => [{ name: only, arguments: text }]
    return { format: { type: 'json_schema', schema }, reader: () => new WholeAnswer(read) }
  }
  return { format: { type: 'json_schema', schema: listOf(tools, parallel) }, reader: () => new WholeAnswer(readList) }
}

const parametersOf = ({ parameters }: FunctionSpec): object => ({ type: 'object', ...parameters })

function listOf(tools: readonly FunctionSpec[], parallel: boolean): object {
  return {
    type: 'array',
    minItems: 1,
    ...(!parallel && { maxItems: 1 }),
    items: {
      anyOf: tools.map((tool, i) => ({
        type: 'object',
        properties: {
          name: { const: tool.name },
          arguments: moved(parametersOf(tool), `#/items/anyOf/${i}/properties/arguments`),
        },
        required: ['name', 'arguments'],
        additionalProperties: false,
      })),
    },
  }
}

// A schema inside another: what it refers to in itself has moved with it.
function moved(schema: unknown, to: string): unknown {
  if (Array.isArray(schema)) return schema.map((one) => moved(one, to))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) =>
      key === '$ref' && typeof value === 'string' && value.startsWith('#')
        ? [key, to + value.slice(1)]
        : [key, moved(value, to)],
    ),
  )
}

// Cut off by a limit it is no JSON: then there is nothing to call.
function readList(text: string): { name: string; arguments: string }[] {
  try {
    const calls: { name: string; arguments: object }[] = JSON.parse(text)
    return calls.map((call) => ({ name: call.name, arguments: JSON.stringify(call.arguments) }))
  } catch {
    return []
  }
}

class WholeAnswer implements Reader {
  private text = ''

  constructor(private readonly read: (text: string) => { name: string; arguments: string }[]) {}

  push(text: string): AnswerPart[] {
    this.text += text
    return []
  }

  end(): AnswerPart[] {
    return this.read(this.text.trim()).map((call) => ({ type: 'call', ...call }))
  }
}

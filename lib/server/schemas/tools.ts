// Functions that the model may call, and whether it must.
import { z } from 'zod'
import { invalid } from '../errors.ts'

export const functionSpec = z.object({
  name: z.string().regex(/^[\w.-]{1,128}$/, 'expected up to 128 letters, digits, _, . or -'),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
})

export type FunctionSpec = z.output<typeof functionSpec>

/** 'auto': the model decides. A name: that function. */
export type ToolChoice = 'none' | 'auto' | 'required' | { name: string }

export const functionTool = z.object({ type: z.literal('function'), function: functionSpec })

export const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
])

/** Throws 400 for a choice that the tools do not have. */
export function checkedChoice(
  tools: readonly FunctionSpec[],
  choice: z.output<typeof toolChoice> | null | undefined,
): ToolChoice {
  if (choice == null) return tools.length > 0 ? 'auto' : 'none'
  if (choice === 'none' || (choice === 'auto' && tools.length === 0)) return 'none'
  if (tools.length === 0) throw invalid('tool_choice', 'there are no tools to choose from')
  if (typeof choice === 'string') return choice
  const { name } = choice.function
  if (tools.some((tool) => tool.name === name)) return { name }
  throw invalid('tool_choice', `there is no tool ${JSON.stringify(name)}`)
}

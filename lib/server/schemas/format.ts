// The form that an answer must have: response_format and text.format of OpenAI's API, structured_outputs and guided_* of
// vLLM's.
import { z } from 'zod'
import type { OutputFormat } from '../../grammar/format.ts'
import { invalid } from '../errors.ts'

const schema = z.record(z.string(), z.unknown())
const json = z.union([z.string(), schema])
const choice = z.array(z.string()).min(1)

export const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: z.object({ schema: schema.nullish() }) }),
])

export const textFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), name: z.string().optional(), schema }),
])

export const guided = {
  structured_outputs: z
    .object({
      json: json.nullish(),
      json_object: z.boolean().nullish(),
      regex: z.string().nullish(),
      choice: choice.nullish(),
      grammar: z.string().nullish(),
    })
    .nullish(),
  guided_json: json.nullish(),
  guided_regex: z.string().nullish(),
  guided_choice: choice.nullish(),
  guided_grammar: z.string().nullish(),
}

type Guided = z.output<z.ZodObject<typeof guided>>

/** What the fields ask for; undefined for any text. Throws 400 when they ask for two things. */
export function formatOf(
  format: z.output<typeof responseFormat> | z.output<typeof textFormat> | null | undefined,
  request: Guided,
): OutputFormat | undefined {
  const formats = [openAiFormat(format), ...guidedFormats(request)].filter((one) => one !== undefined)
  if (formats.length > 1) throw invalid('response_format', 'one form is enough, here are several')
  return formats[0]
}

function openAiFormat(format: Parameters<typeof formatOf>[0]): OutputFormat | undefined {
  if (format == null || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json_object' }
  const found = 'schema' in format ? format.schema : format.json_schema.schema
  return found == null ? { type: 'json_object' } : { type: 'json_schema', schema: found }
}

function guidedFormats(request: Guided): OutputFormat[] {
  const own = request.structured_outputs ?? {}
  const formats: OutputFormat[] = []
  for (const value of [own.json, request.guided_json])
    if (value != null) formats.push({ type: 'json_schema', schema: parsed(value) })
  for (const pattern of [own.regex, request.guided_regex]) if (pattern != null) formats.push({ type: 'regex', pattern })
  for (const texts of [own.choice, request.guided_choice])
    if (texts != null) formats.push({ type: 'regex', pattern: texts.map(literally).join('|') })
  for (const source of [own.grammar, request.guided_grammar])
    if (source != null) formats.push({ type: 'grammar', source })
  if (own.json_object) formats.push({ type: 'json_object' })
  return formats
}

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

function parsed(value: z.output<typeof json>): object {
  if (typeof value !== 'string') return value
  try {
    return schema.parse(JSON.parse(value))
  } catch {
    throw invalid('guided_json', 'expected a JSON schema')
  }
}

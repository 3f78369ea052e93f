// A conversation as the text that a model was trained on: the checkpoint's own Jinja template.
import { Template } from '@huggingface/jinja'
import { KvasirError } from '../errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { type ChatFormat, chatFormat } from './format.ts'
import { withToolsAsText } from './tools-as-text.ts'

/** One turn. Templates may read more than role and content (tool_calls, reasoning_content, name): it is passed on. */
export interface TemplateMessage {
  role: string
  content?: unknown
}

export interface TemplateOptions {
  /** Functions that the model may call, as JSON Schema in the form of OpenAI's API. */
  tools?: readonly object[]
  /** End with the opening of the model's turn. Default true. */
  addGenerationPrompt?: boolean
  /** Variables of this template alone, as enable_thinking. */
  variables?: Readonly<Record<string, unknown>>
}

export interface ChatTemplate {
  (messages: readonly TemplateMessage[], options?: TemplateOptions): string
  /** What the answers to it look like. */
  readonly format: ChatFormat
}

/** For a checkpoint that knows the marks of ChatML but brings no template. */
export const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/**
 * The checkpoint's chat template, or ChatML where it has none but its vocabulary has ChatML's marks, or null. Throws
 * KV_TEMPLATE when the template cannot be read; what it returns throws KV_TEMPLATE when it cannot be filled in.
 */
export function chatTemplate(
  checkpoint: Pick<Checkpoint, 'chatTemplate'>,
  tokenizer: Pick<Tokenizer, 'bos' | 'eos' | 'idOf' | 'textOf'>,
): ChatTemplate | null {
  const knowsChatMl = tokenizer.idOf('<|im_start|>') >= 0 && tokenizer.idOf('<|im_end|>') >= 0
  const source = checkpoint.chatTemplate ?? (knowsChatMl ? CHATML : null)
  if (source === null) return null
  const tokens = { bos_token: textOf(tokenizer, tokenizer.bos), eos_token: textOf(tokenizer, tokenizer.eos) }
  return compileTemplate(source, tokens)
}

const textOf = (tokenizer: Pick<Tokenizer, 'textOf'>, id: number) => (id < 0 ? '' : tokenizer.textOf(id))

/** A Jinja chat template, parsed once. `tokens` holds bos_token and eos_token. */
export function compileTemplate(source: string, tokens: Readonly<Record<string, string>> = {}): ChatTemplate {
  const template = attempt('cannot be read', () => new Template(source))
  const format = chatFormat(source)
  const render = (
    messages: readonly TemplateMessage[],
    { tools = [], addGenerationPrompt = true, variables }: TemplateOptions = {},
  ) =>
    attempt('cannot be filled in', () =>
      template.render({
        ...tokens,
        ...variables,
        messages: format.tools ? messages : withToolsAsText(messages, tools),
        // Templates ask "if tools": an empty list is none.
        tools: tools.length > 0 ? tools : undefined,
        add_generation_prompt: addGenerationPrompt,
      }),
    )
  return Object.assign(render, { format })
}

// raise_exception and strftime_now are the library's own; what a template raises on purpose is a plain Error too.
function attempt<T>(failure: string, call: () => T): T {
  try {
    return call()
  } catch (cause) {
    throw new KvasirError('KV_TEMPLATE', `the chat template ${failure}: ${(cause as Error).message}`, { cause })
  }
}

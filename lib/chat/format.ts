// How a checkpoint writes what is not plain text in its answers, told from its chat template.

/**
 * hermes: <tool_call>{"name", "arguments"}</tool_call>, as Hermes, Qwen and many others.
 * llama3: the answer is {"name", "parameters"}, maybe after <|python_tag|>.
 * mistral: [TOOL_CALLS] and a list of {"name", "arguments"}, or name[ARGS]{…}.
 */
export type CallFormat = 'hermes' | 'llama3' | 'mistral'

export interface ChatFormat {
  calls: CallFormat
  /** The template shows tools to the model; where it does not, they are described in the system message. */
  tools: boolean
}

export function chatFormat(template: string): ChatFormat {
  return { calls: callFormat(template), tools: /\btools\b/.test(template) }
}

function callFormat(template: string): CallFormat {
  if (template.includes('[TOOL_CALLS]')) return 'mistral'
  if (template.includes('<tool_call>')) return 'hermes'
  const llama3 = template.includes('<|python_tag|>') || /"parameters": ?["'] ?[~+%}]/.test(template)
  return llama3 || /<\|start_header_id\|>ipython|Environment: ipython/.test(template) ? 'llama3' : 'hermes'
}

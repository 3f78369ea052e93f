// Control tokens that give a chat's answer its form: they are kept in its text, as all others are not.

export const MARKS: readonly string[] = [
  ...['<tool_call>', '</tool_call>', '<|python_tag|>', '[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'],
  ...['<think>', '</think>'],
]

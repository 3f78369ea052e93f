// What the two processes say to each other. Everything is plain data that the structured clone algorithm can copy.
import type { Piece } from '../engine/answer.ts'
import { type ErrorCode, KvasirError } from '../errors.ts'
import type { Progress } from '../hub/pull.ts'

/** Asks the host for something; every answer to it carries the same id. */
export interface Call {
  id: number
  method: 'load' | 'chat' | 'generate' | 'embed' | 'score' | 'tokenize' | 'detokenize' | 'resize' | 'memory' | 'dispose'
  input?: unknown
  options?: object | undefined
}

export type Question = Call | { cancel: number }

export type Reply =
  | { id: number; progress: Progress }
  | { id: number; prompt: string }
  | { id: number; piece: Piece }
  | { id: number; result: unknown }
  | { id: number; error: PlainError }

export interface PlainError {
  code: string | undefined
  message: string
  stack: string | undefined
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error), stack: undefined }
  return { code: (error as { code?: string }).code, message: error.message, stack: error.stack }
}

/** The error as it was in the other process; its stack there is the cause. */
export function errorOf({ code, message, stack }: PlainError): Error {
  if (code?.startsWith('KV_')) return new KvasirError(code as ErrorCode, message, { cause: stack })
  return new Error(message, { cause: stack })
}

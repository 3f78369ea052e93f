// What the provider needs of a loaded model: Llm has it, and so has the model of kvasir/electron.
import type { Llm } from '../engine/llm.ts'

export type Model = Pick<Llm, 'info' | 'chat' | 'embed' | 'tokenize'>

export const PROVIDER = 'kvasir'

/** What the SDK expects when its AbortSignal has fired is the signal's own reason. */
export function abortReason(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted && (error as { code?: string } | null)?.code === 'KV_ABORTED' ? signal.reason : error
}

// First come, first served, with a bound on the time of a step: a long prompt is cut so that the streams beside it never
// wait much longer than they would without it.
import type { Outlook } from '../outlook.ts'
import { Policy } from '../policy.ts'
import type { Scheduled } from '../scheduled.ts'

/** A step with prompts takes at most so many times what its streams alone would: below the 3 that people notice. */
const STRETCH = 2.2

export class Fcfs<S extends Scheduled> extends Policy<S> {
  override stepMs({ ms, streams }: Outlook): number {
    return streams === 0 || ms === 0 ? Infinity : STRETCH * ms
  }
}

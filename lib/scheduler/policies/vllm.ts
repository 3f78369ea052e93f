// The rule of vLLM's V1 scheduler with its defaults, from its description: arrival order, a budget of tokens but none of
// time, running before waiting, and under memory pressure the newest is computed again later. Priorities, deadlines and
// tenants mean nothing to it. For comparison in `kvasir bench replay`.
import { Policy } from '../policy.ts'
import type { Scheduled } from '../scheduled.ts'

export class Vllm<S extends Scheduled> extends Policy<S> {
  override readonly name = 'vllm'
  override readonly mostPreemptions = Infinity
}

// Swap between the scheduler, which says what is copied, and the device, which copies it in order with the steps.
import type { NativeExecutor } from '../native.ts'
import type { Loading } from '../scheduler/loading.ts'
import type { Scheduled } from '../scheduler/scheduled.ts'
import type { SwapJob } from '../scheduler/swap.ts'

export class Swapping<S extends Scheduled> {
  /** Copies that are under way. */
  readonly pending = new Set<Promise<void>>()

  constructor(
    private readonly executor: Pick<NativeExecutor, 'swap'>,
    private readonly loading: Loading<S>,
    /** Some have run, or failed. */
    private readonly changed: () => void,
  ) {}

  /** Sends what the scheduler has asked for; before the step that it planned. */
  send(): void {
    for (const job of this.loading.swap.take<S>()) {
      const copies = this.run(job).then(() => {
        this.pending.delete(copies)
        this.changed()
      })
      this.pending.add(copies)
    }
  }

  private async run(job: SwapJob<S>): Promise<void> {
    try {
      this.loading.done(job, await this.executor.swap(Int32Array.from(job.copies)))
    } catch (error) {
      if (!this.loading.swap.failed)
        process.emitWarning(`swap is off from now on: ${(error as Error).message}`, {
          type: 'KvasirWarning',
          code: (error as { code?: string }).code ?? 'KV_NATIVE',
        })
      this.loading.failed()
    }
  }
}

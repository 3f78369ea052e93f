// Service by class, deadline and tenant. Three questions, in this order:
//
//   class    the highest that has somebody waiting: overload is paid by the lower ones. But for every hundred tokens that
//            go to others, a class that waits has a claim on a few of its own, so it is slow and never starves.
//   tenant   of that class, the one that has been served least (virtual token counter, arXiv 2401.00588).
//   request  of that tenant, the one due soonest: when its first token should be there, less the time that its prompt
//            takes. What can no longer be in time goes behind what can (relegation, as in Niyama, arXiv 2503.22562).
//
// Running streams keep their pace: prompts are cut by time, a stream that can wait lets hasty ones and their prompts go
// first, and nobody starts who would make a step longer than the hastiest stream of his class or above may wait. For a
// request of a higher class, one of a lower class gives up slot and pages, at most `mostPreemptions` times.
import { KvasirError } from '../../errors.ts'
import type { Outlook } from '../outlook.ts'
import { Policy } from '../policy.ts'
import type { Scheduled } from '../scheduled.ts'
import { PRIORITIES } from '../service.ts'
import type { StepTime } from '../step-time.ts'

/** A step with prompts takes at most so many times what its streams alone would: below the 3 that people notice. */
const STRETCH = 2.2
/** … and within the targets it may, even where streams alone need nearly all of them. */
const LEAST_STRETCH = 1.3
/** A generated token weighs as much as so many of a prompt. */
const OUTPUT_WEIGHT = 2
/** Of the tokens that go to others while it waits, a class has a claim on this share. */
const CLAIM = [1, 0.1, 0.05]
/** A stream that may wait so long from token to token is read by nobody as it comes. */
const UNWATCHED_MS = 1000
/** An interactive prompt that should begin within this time has no time for the comfort of others. */
const PATIENCE_MS = 400
/** Steps are planned for so much of what a stream may wait: no model of time is exact. */
const MARGIN = 0.85
/** Hasty prompts get so much of the time that a stream of their class may wait; streams that can wait, the rest. */
const HASTE = 0.5
/** Tokens of a step that a prompt is computed in when it is alone. */
const CHUNK = 512
/**
 * Pages that stay free when somebody starts: so many times the root of those who run, who grow until one of them ends; but
 * no more than that share of the cache.
 */
const SPARE = 4
const MOST_SPARE = 1 / 64
/** Tenants whose count is remembered while they ask for nothing. */
const MOST_TENANTS = 1000

interface Tenant<S> {
  line: S[]
  /** Weighted tokens that it got. */
  served: number
}

export class Qos<S extends Scheduled> extends Policy<S> {
  override readonly name = 'qos'
  private readonly classes = PRIORITIES.map(() => new Map<string, Tenant<S>>())
  private readonly claims = PRIORITIES.map(() => 0) // in tokens
  private count = 0

  override get size(): number {
    return this.count
  }

  override *waiting(): Iterable<S> {
    for (const tenants of this.classes) for (const { line } of tenants.values()) yield* line
  }

  override push(seq: S, time: StepTime, cached: number): void {
    const promptMs = time.ready ? time.prefill(cached, seq.length, CHUNK) : 0
    if (promptMs > seq.deadline - seq.arrival)
      throw new KvasirError(
        'KV_DEADLINE',
        `the deadline is in ${Math.round(seq.deadline - seq.arrival)} ms, but the prompt of ${seq.length} tokens ` +
          `takes at least ${Math.round(promptMs)} ms here; give it more time or a shorter prompt`,
      )
    seq.due = Math.min(seq.due, seq.deadline) - promptMs
    this.insert(seq)
  }

  override putBack(seq: S): void {
    this.insert(seq)
  }

  override remove(seq: S): void {
    const tenant = this.classes[seq.rank]!.get(seq.tenant)
    const place = tenant ? tenant.line.indexOf(seq) : -1
    if (place < 0) return
    tenant!.line.splice(place, 1)
    this.count--
  }

  override next(now: number): S | undefined {
    let best: S | undefined
    for (let rank = 0; rank < this.classes.length; rank++) {
      const first = this.first(this.classes[rank]!, now)
      if (!first) this.claims[rank] = 0
      else if (!best || this.claims[rank]! >= first.length) best = first
    }
    return best
  }

  override outranks(a: S, b: S): boolean {
    return a.rank < b.rank
  }

  override overtakes(a: S, b: S): boolean {
    return a.rank < b.rank
  }

  override mayStart(a: S, { msByRank, streams, tpotMs, now }: Outlook, time: StepTime): boolean {
    const ms = msByRank[a.rank]!
    // Without a stream there is nobody whose pace it could spoil, however long a step takes.
    if (ms === 0 || streams === 0 || a.work !== 'generate') return true
    const pace = MARGIN * Math.min(tpotMs, a.targets.tpotMs)
    // Late already: the pace of others keeps nobody out for ever.
    return ms + time.decode(a.length) <= pace || now > a.arrival + a.targets.ttftMs
  }

  override yields(b: S, a: S): boolean {
    return b.rank > a.rank && this.mayGiveWay(b)
  }

  override skips(seq: S, { ms, now, tpotMs }: Outlook, time: StepTime): boolean {
    const pace = MARGIN * Math.min(tpotMs, this.hasty(seq.rank))
    if (ms === 0 || seq.targets.tpotMs <= pace) return false
    const longer = ms + time.decode(seq.length)
    return longer > pace && now + 2 * longer < seq.lastRun + seq.targets.tpotMs
  }

  override stepMs({ ms, slowness, streams, tpotMs, due, now }: Outlook): number {
    if (streams === 0 || ms === 0) return Infinity
    // Where the machine has just become slower than its model, gaps keep their length and prompts wait.
    const usual = ms / slowness
    const most = Math.max((MARGIN * tpotMs) / slowness, LEAST_STRETCH * ms)
    // Smooth is better than fast: but not where nobody watches, nor when somebody who does would wait too long.
    const smooth = tpotMs <= UNWATCHED_MS && Math.min(due, this.soonest()) - now > PATIENCE_MS
    return smooth ? Math.min(Math.max(STRETCH * usual, LEAST_STRETCH * ms), most) : most
  }

  override reserve(running: readonly S[], pages: number): number {
    return Math.floor(Math.min(SPARE * Math.sqrt(running.length), MOST_SPARE * pages))
  }

  override serves(seq: S, tokens: number): void {
    if (seq.computed < seq.promptLength)
      for (let rank = 0; rank < CLAIM.length; rank++)
        this.claims[rank] =
          rank === seq.rank ? Math.max(0, this.claims[rank]! - tokens) : this.claims[rank]! + CLAIM[rank]! * tokens
    const tenant = this.classes[seq.rank]!.get(seq.tenant)
    if (tenant) tenant.served += seq.computed < seq.promptLength ? tokens : OUTPUT_WEIGHT * tokens
  }

  // How long streams of a rank may make a step while a higher class waits.
  private hasty(rank: number): number {
    for (let above = 0; above < rank; above++)
      for (const { line } of this.classes[above]!.values()) if (line.length > 0) return HASTE * line[0]!.targets.tpotMs
    return Infinity
  }

  // When the first waiting interactive request should begin.
  private soonest(): number {
    let soonest = Infinity
    for (const { line } of this.classes[0]!.values()) if (line.length > 0) soonest = Math.min(soonest, line[0]!.due)
    return soonest
  }

  private insert(seq: S): void {
    const tenants = this.classes[seq.rank]!
    let tenant = tenants.get(seq.tenant)
    if (!tenant) {
      if (tenants.size >= MOST_TENANTS) forgetIdle(tenants)
      tenant = { line: [], served: 0 }
      tenants.set(seq.tenant, tenant)
    }
    // Who was away has no claim on the time that others used meanwhile.
    if (tenant.line.length === 0) {
      let least = Infinity
      for (const { line, served } of tenants.values()) if (line.length > 0) least = Math.min(least, served)
      if (least < Infinity) tenant.served = Math.max(tenant.served, least)
    }
    let low = 0
    for (let high = tenant.line.length; low < high; ) {
      const middle = (low + high) >> 1
      if (tenant.line[middle]!.due <= seq.due) low = middle + 1
      else high = middle
    }
    tenant.line.splice(low, 0, seq)
    this.count++
  }

  private first(tenants: Map<string, Tenant<S>>, now: number): S | undefined {
    let best: Tenant<S> | undefined
    for (const tenant of tenants.values())
      if (tenant.line.length > 0 && (!best || tenant.served < best.served)) best = tenant
    if (!best) return undefined
    // Late: it is due again when it has waited as long once more, and goes behind what is not late.
    for (let rounds = best.line.length; rounds > 0; rounds--) {
      const seq = best.line[0]!
      if (seq.due >= now || seq.preemptions > 0) return seq
      this.remove(seq)
      seq.due += Math.max(seq.targets.ttftMs, now - seq.arrival)
      this.insert(seq)
    }
    return best.line[0]
  }
}

function forgetIdle<S>(tenants: Map<string, Tenant<S>>): void {
  for (const [name, { line }] of tenants) if (line.length === 0) tenants.delete(name)
}

// A prompt and the n answers to it.
import { KvasirError } from '../errors.ts'
import type { NativeGrammar, NativeSampler } from '../native.ts'
import { nativeSampler, type SamplingParams } from '../sampling/params.ts'
import type { Service } from '../scheduler/service.ts'
import type { Answer, ChoiceResult, FinishReason, Piece, TokenLogprob } from './answer.ts'
import { type Outcome, Request } from './request.ts'
import { Sequence } from './sequence.ts'
import type { RowResult } from './step.ts'
import { StopStrings } from './stop-strings.ts'

/** Ids to text, one id at a time; an unfinished character is held back until it is whole. */
export interface Detokenizer {
  push(id: number): string
  /** What is held back, when no more ids come. */
  flush(): string
}

/** Receives the answer as it grows, and then as a whole. */
export interface Listener extends Outcome<Answer> {
  piece(piece: Piece): void
}

export interface GenerateOptions {
  prompt: Int32Array
  params: SamplingParams
  /** Tokens that prompt and answer may have together: the answer gets what is left when the caller gave no maxTokens. */
  longest: number
  program: number
  detokenizer: () => Detokenizer
  /** Of the format that the answers have. */
  grammar?: NativeGrammar
  /** Requests of one tenant share the pages of a common beginning, and with nobody else. */
  service?: Service
  createdAt?: number
}

export class GenerateRequest extends Request<Answer> {
  readonly choices: Choice[] = []

  constructor(
    readonly listener: Listener,
    private readonly options: GenerateOptions,
  ) {
    super(listener, options.createdAt)
    for (let i = 0; i < options.params.n; i++) {
      const choice = new Choice(this, options, i)
      this.choices.push(choice)
      this.addSequence(choice)
    }
    this.choices[0]!.forks = this.choices.slice(1)
  }

  protected override result(): Answer {
    const choices = this.choices.map((choice) => choice.result())
    const [first] = choices as [ChoiceResult]
    return {
      text: first.text,
      tokens: first.tokens,
      finishReason: first.finishReason,
      usage: {
        promptTokens: this.options.prompt.length,
        cachedTokens: this.choices[0]!.cached,
        completionTokens: this.choices.reduce((sum, choice) => sum + choice.completionTokens, 0),
      },
      timings: this.timings(),
      ...(first.logprobs && { logprobs: first.logprobs }),
      ...(choices.length > 1 && { choices }),
    }
  }
}

/** One answer. */
class Choice extends Sequence {
  readonly sampler: NativeSampler
  private text = ''
  private finishReason: FinishReason | undefined
  private unsent: number[] = [] // ids whose text is not out yet
  private readonly logprobs: TokenLogprob[] = []
  private readonly stops: StopStrings
  private readonly detokenizer: Detokenizer
  private readonly maxTokens: number

  constructor(
    private readonly owner: GenerateRequest,
    private readonly options: GenerateOptions,
    private readonly index: number,
  ) {
    const { prompt, params, program, grammar, service = {} } = options
    const maxTokens = params.maxTokens ?? Math.max(1, options.longest - prompt.length)
    const limit = prompt.length + maxTokens
    super(owner, prompt, {
      ...{ work: 'generate', program, length: prompt.length, limit, salt: service.tenant ?? '', service },
      settled: grammar !== undefined || hasPenalty(params),
    })
    this.maxTokens = maxTokens
    this.sampler = nativeSampler(params, index, prompt)
    if (grammar) Object.assign(this.sampler, { grammar, grammarBudget: maxTokens })
    this.stops = new StopStrings(params.stopStrings)
    this.detokenizer = options.detokenizer()
  }

  override take(row: RowResult): boolean {
    if (row.stuck) throw stuck(this.text)
    this.completionTokens++
    if (row.stop) return this.finish('stop')
    this.known++
    this.sampled.push(row.id)
    this.unsent.push(row.id)
    if (this.options.params.topLogprobs >= 0) this.logprobs.push(logprobOf(row))
    this.show(this.stops.push(this.detokenizer.push(row.id)))
    if (this.stops.matched || row.ended) return this.finish('stop')
    return this.completionTokens === this.maxTokens && this.finish('length')
  }

  override interrupt(): void {
    if (!this.finishReason) this.finish('abort')
  }

  result(): ChoiceResult {
    return {
      index: this.index,
      text: this.text,
      tokens: this.sampled,
      finishReason: this.finishReason!,
      ...(this.options.params.topLogprobs >= 0 && { logprobs: this.logprobs }),
    }
  }

  private finish(reason: FinishReason): true {
    this.finishReason = reason
    const rest = this.stops.push(this.detokenizer.flush()) + this.stops.flush()
    this.show(rest, true)
    return true
  }

  private show(text: string, last = false): void {
    if (text === '' && !(last && this.unsent.length > 0)) return
    this.text += text
    const piece: Piece = { text, tokens: this.unsent }
    const shown = this.logprobs.length - this.unsent.length
    if (this.options.params.topLogprobs >= 0) piece.logprobs = this.logprobs.slice(shown)
    if (this.options.params.n > 1) piece.index = this.index
    this.unsent = []
    this.owner.listener.piece(piece)
  }
}

const hasPenalty = (params: SamplingParams): boolean =>
  params.frequencyPenalty !== 0 || params.presencePenalty !== 0 || params.repetitionPenalty !== 1

function stuck(text: string): KvasirError {
  return new KvasirError(
    'KV_UNSUPPORTED',
    `format: no token of this model continues the answer after ${JSON.stringify(text.slice(-80))}, or there are too ` +
      'many ways to read it; change the format',
  )
}

function logprobOf(row: RowResult): TokenLogprob {
  const top = row.topIds.map((token, i) => ({ token, logprob: row.topLogprobs[i]! }))
  return { token: row.id, logprob: row.logprob, top }
}

// The object that load() gives: one model, every call on it.
import { type Guard, guardAgainst } from '../chat/guard.ts'
import { checkedTools, templateMessages } from '../chat/message.ts'
import { KvasirError } from '../errors.ts'
import { checkedFormat } from '../grammar/format.ts'
import { boolean, checkOptions, expected, oneOf, signalOf } from '../sampling/check.ts'
import { samplingParams } from '../sampling/params.ts'
import { SERVICE_OPTIONS, serviceOf } from '../scheduler/service.ts'
import { call, together } from './call.ts'
import { disposed } from './disposed.ts'
import { EmbedRequest } from './embed-request.ts'
import type { EngineLoad } from './engine-load.ts'
import { unwatch, watch } from './forgotten.ts'
import { GenerateRequest } from './generate-request.ts'
import { Generation } from './generation.ts'
import type { EngineObserver, EngineView } from './observer.ts'
import { ScoreRequest } from './score-request.ts'
import type {
  ChatMessage,
  ChatOptions,
  EmbedOptions,
  GenerateOptions,
  LlmParts,
  ModelInfo,
  Prompt,
  ScoreOptions,
} from './types.ts'

/** A loaded model. Every method may be called at any time, any number of times at once; calls share the steps. */
export class Llm {
  /** What was loaded, and how. */
  readonly info: Readonly<ModelInfo>
  private disposal: Promise<void> | undefined
  private guard: Guard | undefined

  /** Use load(). */
  constructor(private readonly parts: LlmParts) {
    this.info = Object.freeze(parts.info)
    watch(this, parts)
  }

  /**
   * Answers a conversation, or one message of the user, through the checkpoint's chat template.
   * Await it for the whole answer, iterate it for pieces as they come.
   *
   * Rejects with KV_ARGUMENT, KV_TEMPLATE, KV_TOO_LONG, KV_DEADLINE, KV_ABORTED, KV_DISPOSED, and KV_UNSUPPORTED where the checkpoint
   * has no template (use generate()).
   */
  chat(messages: string | readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { tools, templateVariables, onPrompt, ...rest } = { ...options }
    return this.generation(rest, () => this.chatIds(messages, { tools, templateVariables }, onPrompt), true)
  }

  /**
   * The text that chat() gives to the model: the checkpoint's template, filled in. In it a message that looks like a
   * control token cannot be told from one, as chat() does: what it reads in messages is always text.
   * Throws KV_ARGUMENT, KV_TEMPLATE, and KV_UNSUPPORTED where the checkpoint has no template.
   */
  chatPrompt(
    messages: string | readonly ChatMessage[],
    options: Pick<ChatOptions, 'tools' | 'templateVariables'> = {},
  ): string {
    return this.fillIn(messages, options, false).text
  }

  /**
   * Continues a text or a list of token ids, with no template around it.
   * Rejects with KV_ARGUMENT, KV_TOO_LONG, KV_DEADLINE, KV_ABORTED, KV_DISPOSED.
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    return this.generation(options, () => this.ids('prompt', prompt))
  }

  /**
   * One vector of info.hiddenSize numbers for each text, in their order.
   * Rejects with KV_ARGUMENT, KV_TOO_LONG, KV_DEADLINE, KV_ABORTED, KV_DISPOSED.
   */
  async embed(texts: string | readonly Prompt[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    checkOptions(options, ['pooling', 'normalize', 'signal', ...SERVICE_OPTIONS])
    const pooling = oneOf('pooling', options.pooling, 'mean', ['mean', 'last'])
    const normalize = boolean('normalize', options.normalize, true)
    const signal = signalOf(options.signal)
    const createdAt = performance.now()
    const list = typeof texts === 'string' ? [texts] : texts
    if (!Array.isArray(list)) throw expected('texts', 'a string or a list of texts', texts)
    const prompts = await Promise.all(list.map((text: Prompt, i) => this.ids(`texts[${i}]`, text)))
    const program = await this.parts.programs.embed(pooling)
    const spec = { program, pooling, normalize, createdAt, service: serviceOf(options) }
    return together(signal, (group) =>
      prompts.map((ids) =>
        call<Float32Array>(this.parts.engine, (outcome) => new EmbedRequest(outcome, { ...spec, ids }), group),
      ),
    )
  }

  /**
   * The natural logarithm of the probability of every token after the first, given those before it: ids.length − 1
   * numbers. exp(−mean) is the perplexity. Rejects with KV_ARGUMENT, KV_TOO_LONG, KV_DEADLINE, KV_ABORTED, KV_DISPOSED.
   */
  async score(text: Prompt, options: ScoreOptions = {}): Promise<Float32Array> {
    checkOptions(options, ['signal', ...SERVICE_OPTIONS])
    const signal = signalOf(options.signal)
    const service = serviceOf(options)
    const createdAt = performance.now()
    const ids = await this.ids('text', text)
    if (ids.length < 2) throw expected('text', 'at least two tokens, the second being the first one scored', ids.length)
    const { engine, programs } = this.parts
    return call(
      engine,
      (outcome) => new ScoreRequest(outcome, { ids, program: programs.generate, createdAt, service }),
      signal,
    )
  }

  /** The ids of a text: with `special`, BOS and EOS as the checkpoint asks, as generate() takes them (default). */
  async tokenize(text: string, options?: { special?: boolean }): Promise<number[]>
  /** The ids that chat() would run for a conversation. */
  async tokenize(
    messages: readonly ChatMessage[],
    options?: Pick<ChatOptions, 'tools' | 'templateVariables'>,
  ): Promise<number[]>
  async tokenize(
    from: string | readonly ChatMessage[],
    options: { special?: boolean } & Pick<ChatOptions, 'tools' | 'templateVariables'> = {},
  ): Promise<number[]> {
    if (typeof from !== 'string' && !Array.isArray(from)) throw expected('text', 'a string or a list of messages', from)
    this.checkAlive()
    return [
      ...(await (typeof from === 'string' ? this.encoded(from, options.special ?? true) : this.chatIds(from, options))),
    ]
  }

  /** The text of ids; control tokens are left out, an unfinished character becomes U+FFFD. */
  detokenize(ids: ArrayLike<number>): string {
    this.checkAlive()
    return this.parts.codec.decode(this.checkedIds('ids', ids))
  }

  /** The bytes of one token inside a text: maybe a part of a character. Control tokens as the checkpoint writes them. */
  tokenBytes(id: number): Uint8Array {
    this.checkAlive()
    return this.parts.codec.bytes(this.checkedIds('id', [id])[0]!)
  }

  /** How busy the model is now, and what the prefix cache has done so far. */
  stats(): EngineLoad {
    return this.parts.engine.load()
  }

  /** Shows what happens from now on, every step and answer, to `observer`, which must be quick and may have some of the methods. */
  watch(observer: Partial<EngineObserver>): EngineView {
    return this.parts.engine.watch(observer)
  }

  /**
   * Changes how much memory the KV cache may take, up to what the model was loaded with, and returns the size that it has
   * now, in whole pages: less than asked for while memory is short. What is cached of finished requests goes first; requests
   * under way go on, some of them one after another. Throws KV_ARGUMENT when one of them could not be finished in so little, and KV_DISPOSED.
   */
  resize({ kvBytes }: { kvBytes: number }): number {
    const { engine, info } = this.parts
    const page = info.kvBytes / engine.memory.total
    if (typeof kvBytes !== 'number' || !(kvBytes >= page) || !(kvBytes <= info.kvBytes))
      throw expected('kvBytes', `from ${page} (a page) to ${info.kvBytes} (as loaded)`, kvBytes)
    engine.resize(Math.floor(kvBytes / page))
    return engine.memory.budget * page
  }

  /** Ends the steps in flight, rejects what is unfinished with KV_DISPOSED, gives the memory back. */
  dispose(): Promise<void> {
    unwatch(this)
    this.disposal ??= this.parts.engine.dispose().then(() => this.parts.release())
    return this.disposal
  }

  /** `await using llm = await load(…)` disposes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  private generation(options: GenerateOptions, prompt: () => Promise<Int32Array>, marks = false): Generation {
    const { engine, programs, stopTokens } = this.parts
    return new Generation(
      engine,
      async (listener, createdAt) => {
        const params = samplingParams(options, this.info.vocabSize, stopTokens, ['format', ...SERVICE_OPTIONS])
        const service = serviceOf(options)
        const format = checkedFormat(options.format)
        this.checkAlive()
        const grammar = format && (await this.parts.grammar(format))
        const ids = await prompt()
        return new GenerateRequest(listener, {
          prompt: ids,
          params,
          service,
          ...(grammar && { grammar }),
          longest: engine.longest,
          program: programs.generate,
          detokenizer: () => this.parts.codec.detokenizer(marks), // `this`: no model is forgotten while it answers
          createdAt,
        })
      },
      options?.signal,
    )
  }

  private async chatIds(
    messages: string | readonly ChatMessage[],
    options: { [K in 'tools' | 'templateVariables']?: ChatOptions[K] | undefined },
    onPrompt?: ChatOptions['onPrompt'],
  ): Promise<Int32Array> {
    const { text, mark } = this.fillIn(messages, options, true)
    const ids = await this.encoded(text, false, mark)
    onPrompt?.(mark === undefined ? text : text.replaceAll(mark, ''))
    if (ids.length > 0) return ids
    throw new KvasirError('KV_TEMPLATE', `${this.info.name}: the chat template made nothing of the messages`)
  }

  // The template's text, and the mark that stands in it before what looks like a control token in a message.
  private fillIn(
    messages: string | readonly ChatMessage[],
    { tools, templateVariables: variables = {} }: { [K in 'tools' | 'templateVariables']?: ChatOptions[K] | undefined },
    guarded: boolean,
  ): { text: string; mark: string | undefined } {
    const { template, codec } = this.parts
    if (!template) throw new KvasirError('KV_UNSUPPORTED', `${this.info.name} brings no chat template; use generate()`)
    if (typeof variables !== 'object' || variables === null) throw expected('templateVariables', 'an object', variables)
    const told = templateMessages(messages)
    const given = { messages: told.map(({ role: _, ...rest }) => rest), tools: checkedTools(tools), variables }
    this.guard ??= guardAgainst(codec.controlTokens())
    const { values, mark } = (guarded && this.guard(given)) || { values: given, mark: undefined }
    const turns = values.messages.map((message, i) => ({ role: told[i]!.role, ...message }))
    return { text: template(turns, { tools: values.tools, variables: values.variables }), mark }
  }

  private async ids(name: string, prompt: Prompt): Promise<Int32Array> {
    this.checkAlive()
    const ids = typeof prompt === 'string' ? await this.encoded(prompt, true) : this.checkedIds(name, prompt)
    if (ids.length === 0) throw expected(name, 'at least one token', prompt)
    return ids
  }

  // The codec's ids. A damaged tokenizer, or one with more tokens than the model, may give one that has no embedding.
  private async encoded(text: string, special: boolean, mark?: string): Promise<Int32Array> {
    const ids = await this.parts.codec.encode(text, special, true, mark)
    const beyond = ids.find((id) => id >= this.info.vocabSize)
    if (beyond === undefined) return ids
    throw new KvasirError(
      'KV_FORMAT',
      `${this.info.name}: the tokenizer gives token ${beyond}, but the model has ${this.info.vocabSize} embeddings; ` +
        'its files do not belong together',
    )
  }

  private checkedIds(name: string, ids: ArrayLike<number>): Int32Array {
    if (typeof ids !== 'object' || ids === null || !Number.isInteger(ids.length))
      throw expected(name, 'a string or an array of token ids', ids)
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (!Number.isInteger(id) || id < 0 || id >= this.info.vocabSize)
        throw expected(`${name}[${i}]`, `a token id from 0 to ${this.info.vocabSize - 1}`, id)
    }
    return Int32Array.from(ids)
  }

  private checkAlive(): void {
    if (this.disposal) throw disposed()
  }
}

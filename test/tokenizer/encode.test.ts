// Ids are those of an independent tokenizer, on random text in many scripts, for real vocabularies.
import { beforeAll, describe, expect, it } from 'vitest'
import { testModel } from '../support/model.ts'
import { FuzzText } from './fuzz-text.ts'
import {
  EXTRA,
  isAgreed,
  openGgufVocabulary,
  openVocabulary,
  PACKAGES,
  packagePath,
  type Vocabulary,
} from './vocabularies.ts'

const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
const count = Number(process.env['KVASIR_FUZZ'] ?? 300)
console.log(`encode: KVASIR_SEED=${seed}`)

const sources: [string, () => Promise<Vocabulary>][] = [
  ...PACKAGES.map((name): [string, () => Promise<Vocabulary>] => [name, () => openVocabulary(packagePath(name))]),
  ...EXTRA.map((path): [string, () => Promise<Vocabulary>] => [path, () => openVocabulary(path)]),
  ['smollm2 (GGUF)', async () => openGgufVocabulary(await testModel())],
  ['smollm2 (GGUF), cut by default', async () => openGgufVocabulary(await testModel(), 'default')],
]

describe.each(sources)('%s', (_, open) => {
  let vocabulary: Vocabulary
  beforeAll(async () => {
    vocabulary = await open()
  })

  it('gives the ids of the oracle', async () => {
    const { tokenizer, oracle, specials, lacks } = vocabulary
    const fuzz = new FuzzText(seed, specials, isAgreed)
    for (let i = 0; i < count; i++) {
      const text = fuzz.next()
      if (lacks?.test(text)) continue
      expect([...(await tokenizer.encode(text, true, true))], `text ${i}: ${JSON.stringify(text)}`).toEqual(
        oracle(text),
      )
    }
  })

  it('decodes to the same text', async () => {
    const { tokenizer, specials, lacks } = vocabulary
    // U+0338 would compose with the > of a special token before it, which the tokenizer rightly keeps apart.
    const fuzz = new FuzzText(seed + 1, specials, (code) => isAgreed(code) && code !== 0x338)
    const normal = vocabulary.nfc ? (text: string) => text.normalize('NFC') : (text: string) => text
    // SentencePiece writes spaces as ▁ and reads ▁ and <0x41> as a space and a byte.
    const sentencePiece = tokenizer.idOf('<0x41>') >= 0
    const lost = sentencePiece ? /▁|<0x/ : /(?!)/
    for (let i = 0; i < count; i++) {
      const text = fuzz.next()
      if (lost.test(text) || lacks?.test(text)) continue
      const ids = await tokenizer.encode(text, false, !sentencePiece)
      const pieces = text.split(/(?=<[|｜])|(?<=[|｜]>)/)
      expect(tokenizer.decode(ids, true), JSON.stringify(text)).toBe(pieces.map(normal).join(''))
    }
  })

  it('reads special tokens as text unless it is asked to', async () => {
    const { tokenizer, specials } = vocabulary
    for (const special of specials.filter((token) => tokenizer.isSpecial(tokenizer.idOf(token))).slice(0, 20)) {
      const text = `a ${special} b`
      const ids = await tokenizer.encode(text, false, false)
      expect([...ids].some((id) => tokenizer.isSpecial(id))).toBe(false)
      expect(tokenizer.decode(ids)).toBe(text)
      expect([...(await tokenizer.encode(text, false, true))]).toContain(tokenizer.idOf(special))
    }
  })
})

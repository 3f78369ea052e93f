// Text that is streamed id by id is the text of all ids at once, at every cut.
import { describe, expect, it } from 'vitest'
import { FuzzText } from './fuzz-text.ts'
import { openVocabulary, packagePath } from './vocabularies.ts'

const seed = Number(process.env['KVASIR_SEED'] ?? Date.now() % 2 ** 31)
console.log(`detokenizer: KVASIR_SEED=${seed}`)

describe.each(['deepseek_v3', 'llama2'])('%s', async (name) => {
  const { tokenizer, specials } = await openVocabulary(packagePath(name))

  it('streams what it decodes', async () => {
    const fuzz = new FuzzText(seed, specials)
    for (let i = 0; i < 60; i++) {
      const ids = await tokenizer.encode(fuzz.next(), i % 2 === 0, true)
      const stream = tokenizer.detokenizer()
      let text = ''
      for (let cut = 0; cut < Math.min(ids.length, 120); cut++) {
        const piece = stream.push(ids[cut]!)
        expect(piece.includes('\ufffd') && !tokenizer.decode(ids.subarray(0, cut + 1)).includes('\ufffd')).toBe(false)
        text += piece
        const whole = tokenizer.decode(ids.subarray(0, cut + 1))
        // What is not shown yet is one unfinished character, which decoding the cut shows as U+FFFD.
        expect(whole.startsWith(text)).toBe(true)
        expect(whole.slice(text.length)).toMatch(/^\ufffd{0,3}$/)
      }
    }
  })

  it('shows what never became a character', async () => {
    const stream = tokenizer.detokenizer()
    const ids = await tokenizer.encode('\u{1f9d1}\u200d\u{1f680}', false)
    const bytes = [...ids].map((id) => stream.push(id)).join('')
    expect(bytes + stream.flush()).toBe(tokenizer.decode(ids))
    const [first] = await tokenizer.encode('\u{10ffff}', false)
    const broken = tokenizer.detokenizer()
    expect(broken.push(first!) + broken.flush()).toBe(tokenizer.decode(Int32Array.of(first!)))
  })

  it('gives random ids the text of decoding them', () => {
    const fuzz = new FuzzText(seed)
    for (let i = 0; i < 60; i++) {
      const ids = Int32Array.from(fuzz.next(), (c) => (c.codePointAt(0)! * 2654435761) % (tokenizer.vocabSize + 10))
      const stream = tokenizer.detokenizer()
      let text = ''
      for (const id of ids) text += stream.push(id)
      expect(text + stream.flush()).toBe(tokenizer.decode(ids))
    }
  })
})

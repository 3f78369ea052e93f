// Regular expressions and grammars: what they accept, against JavaScript's own expressions; and words that are damaged.
import { describe, expect, it } from 'vitest'
import { random } from '../support/random.ts'
import { accepts, grammarOf, randomText, wordsOf } from './harness.ts'

const full = process.env['KVASIR_TEST'] === 'full'

const regex = (pattern: string) => grammarOf(wordsOf({ type: 'regex', pattern }))
const grammar = (source: string) => grammarOf(wordsOf({ type: 'grammar', source }))

/** An expression of a few letters, and nothing that looks around. */
function randomPattern(chance: ReturnType<typeof random>, depth: number): string {
  const pick = <T>(...list: T[]) => list[chance.below(list.length)]!
  const part = () => randomPattern(chance, depth - 1)
  if (depth === 0)
    return pick('a', 'b', 'é', '[ab]', '[^a]', '.', '\\w', '\\S', '[b-é]', '\\u{1f600}', '\\x61', '[\\d-]')
  switch (chance.below(6)) {
    case 0:
      return `(?:${part()}|${part()})`
    case 1:
      return `(${part()})${pick('*', '+', '?', '{2}', '{1,3}', '{0,2}?', '{2,}')}`
    case 2:
      return `(?:^${part()}|${part()}$)`
    default:
      return part() + part()
  }
}

describe('regular expressions', () => {
  it('accept what those of JavaScript accept', () => {
    const seed = Date.now() % 1e9
    const chance = random(seed)
    const letters = ['a', 'b', 'é', '😀', '0', '-', ' ', '\n', '_']
    for (let round = 0; round < (full ? 300 : 80); round++) {
      const pattern = randomPattern(chance, 3)
      const whole = new RegExp(`^(?:${pattern})$`, 'u')
      let automaton: ReturnType<typeof regex>
      try {
        automaton = regex(pattern)
      } catch (error) {
        expect((error as Error).message).toMatch(/no text satisfies it/)
        continue
      }
      for (let i = 0; i < 40; i++) {
        const text = Array.from({ length: chance.below(7) }, () => letters[chance.below(letters.length)]).join('')
        if (accepts(automaton, text) !== whole.test(text))
          expect.fail(`seed ${seed}: ${pattern} on ${JSON.stringify(text)}`)
      }
      for (let i = 0; i < 5; i++) {
        const text = randomText(automaton, chance, 12)
        if (!whole.test(text)) expect.fail(`seed ${seed}: ${pattern} lets ${JSON.stringify(text)} through`)
      }
    }
  })

  it('know the properties of Unicode', () => {
    const greek = regex('\\p{Script=Greek}+\\P{L}')
    expect(accepts(greek, 'αβγ!')).toBe(true)
    expect(accepts(greek, 'abc!')).toBe(false)
  })
})

describe('grammars', () => {
  const source = `
    # sums
    root  ::= term (("+" | "-") term)*   # left to right
    term  ::= [0-9]{1,3} | "(" root ")" |
              "\\u00e9" [^a-z\\n]? .
  `
  it.each([
    ['12+3-(4+5)', true],
    ['1234', false],
    ['((1))', true],
    ['(1', false],
    ['éAz', true],
    ['éé', true],
    ['éa', true],
    ['é', false],
    ['', false],
  ])('%j: %s', (text, wanted) => {
    expect(accepts(grammar(source), text)).toBe(wanted)
  })

  it('may begin with themselves, directly', () => {
    const sums = grammar('root ::= root "+" [0-9] | root "-" [0-9] | [0-9]')
    expect(accepts(sums, '1+2-3')).toBe(true)
    expect(accepts(sums, '+1')).toBe(false)
  })

  it('may repeat what may be empty', () => {
    const odd = grammar('root ::= (a* "b"? c)* "!"\na ::= "a"*\nc ::= "" | "c"')
    for (const text of ['!', 'abc!', 'aabbcc!', 'b!']) expect(accepts(odd, text), text).toBe(true)
    expect(accepts(odd, 'd!')).toBe(false)
  })

  it('read a list of any length in the same space', () => {
    const list = grammar('root ::= "a" root | "b"')
    list.follow(Int32Array.from(Buffer.from('a'.repeat(50))), undefined, true)
    const { states } = list.stats()
    list.follow(Int32Array.from(Buffer.from('a'.repeat(5000))), undefined, true)
    expect(list.stats().states).toBe(states)
  })
})

it('damaged words are refused or read, and nothing else', () => {
  const seed = Date.now() % 1e9
  const chance = random(seed)
  const samples = [
    wordsOf({ type: 'json_object' }),
    wordsOf({ type: 'regex', pattern: '(a|b){2,5}é*' }),
    wordsOf({ type: 'grammar', source: 'root ::= "(" root* ")" | [^()]{1,5}' }),
  ]
  let read = 0
  for (let round = 0; round < (full ? 2000 : 500); round++) {
    const words = samples[chance.below(samples.length)]!.slice(0, round % 9 === 0 ? chance.below(100) : undefined)
    for (let i = 0; i <= chance.below(3); i++)
      words[chance.below(words.length)] = [chance.below(8), -1, 2 ** 31 - 1, chance.below(300), words.length][
        chance.below(5)
      ]!
    try {
      const damaged = grammarOf(words)
      damaged.follow(Int32Array.from(Buffer.from('{"a": [1')), 20)
      read++
    } catch (error) {
      expect((error as Error).message).toMatch(/^(grammar|format): /)
    }
  }
  expect(read).toBeGreaterThan(0)
})

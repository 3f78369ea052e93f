import { describe, expect, it } from 'vitest'
import { StopStrings } from '../../lib/engine/stop-strings.ts'

/** Pushes the pieces; what was shown after each, and at the end. */
function run(stops: string[], pieces: string[]) {
  const matcher = new StopStrings(stops)
  const shown = pieces.map((piece) => matcher.push(piece))
  return { shown: [...shown, matcher.flush()], matched: matcher.matched }
}

/** Every way to cut `text` into pieces. */
function* cuts(text: string): Generator<string[]> {
  for (let mask = 0; mask < 1 << (text.length - 1); mask++) {
    const pieces: string[] = []
    let from = 0
    for (let i = 1; i <= text.length; i++) {
      if (i < text.length && !(mask & (1 << (i - 1)))) continue
      pieces.push(text.slice(from, i))
      from = i
    }
    yield pieces
  }
}

describe('StopStrings', () => {
  it.each([
    ['abcSTOPdef', ['STOP'], 'abc', true],
    ['abSTSTOPx', ['STOP'], 'abST', true],
    ['aaab', ['aab'], 'a', true],
    ['abcST', ['STOP'], 'abcST', false],
    ['abab', ['abac'], 'abab', false],
    ['x\n\nUser:', ['\n\nUser:', '###'], 'x', true],
    ['no stop', [], 'no stop', false],
    ['STOP', ['STOP'], '', true],
  ])('cut anywhere, %j with %j shows %j', (text, stops, expected, matched) => {
    for (const pieces of cuts(text)) {
      const result = run(stops, pieces)
      expect([pieces, result.shown.join(''), result.matched]).toEqual([pieces, expected, matched])
    }
  })

  it('never shows a part of a stop string, however it is cut', () => {
    for (const pieces of cuts('helloSTOP'))
      for (const [i] of pieces.entries()) {
        const shown = run(['STOP'], pieces.slice(0, i + 1))
          .shown.slice(0, i + 1)
          .join('')
        expect('hello'.startsWith(shown)).toBe(true)
      }
  })

  it('holds back no more than it must', () => {
    expect(run(['STOP'], ['abc', 'S', 'x', 'STO', 'Q']).shown).toEqual(['abc', '', 'Sx', '', 'STOQ', ''])
  })

  it('takes the one that begins first', () => {
    expect(run(['lo w', 'ell'], ['hello world']).shown.join('')).toBe('h')
  })
})

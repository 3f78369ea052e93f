import { expect, test } from 'vitest'
import { adjust, distribution, logSoftmax, type Sampler } from '../reference/sample.ts'
import { everyRun, f32Rows, freshRandom, isas, kernels, type Run } from './harness.ts'

const random = freshRandom('sample')
const maxTop = 20

interface Slot extends Sampler {
  seed?: number
  stopTokens?: number[]
  topLogprobs?: number
}

interface Row {
  logits: Float32Array
  slot: number
  position: number
  target?: number
}

/** Runs the kernel on copies; the slots come back as the kernel left them. */
function sample(slots: Slot[], rows: Row[], run: Run) {
  const vocab = rows[0]!.logits.length
  const all = new Float32Array(rows.length * vocab)
  rows.forEach((row, i) => {
    all.set(row.logits, i * vocab)
  })
  const native = slots.map((s) => ({
    ...s,
    seedLow: s.seed ?? 0,
    biasIds: Int32Array.from((s.bias ?? []).map(([id]) => id)),
    biasValues: Float32Array.from((s.bias ?? []).map(([, bias]) => bias)),
    stopTokens: Int32Array.from(s.stopTokens ?? []),
    counts: Int32Array.from((s.counts ?? []).flat()),
    prompt: Int32Array.from(s.prompt ?? []),
  }))
  const out = {
    id: new Int32Array(rows.length),
    logprob: new Float32Array(rows.length),
    stop: new Int32Array(rows.length),
    topCount: new Int32Array(rows.length),
    topId: new Int32Array(rows.length * maxTop),
    topLogprob: new Float32Array(rows.length * maxTop),
    lastSampled: new Int32Array(slots.length).fill(-1),
  }
  kernels.run(
    'sample',
    {
      logits: f32Rows(all, vocab),
      slot: Int32Array.from(rows, (r) => r.slot),
      position: Int32Array.from(rows, (r) => r.position),
      target: Int32Array.from(rows, (r) => r.target ?? -1),
      slots: native,
      ...out,
    },
    run,
  )
  return { ...out, counts: native.map((s) => [...s.counts]) }
}

test('the generator is Philox 4x32-10', () => {
  // The known answers of its authors' library, Random123.
  const cases = [
    ['00000000 00000000 00000000 00000000 00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    ['243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ]
  const words = (line: string) => Uint32Array.from(line.split(' '), (w) => Number.parseInt(w, 16))
  for (const [input, answer] of cases) {
    expect(kernels.philox(words(input!)).subarray(0, 4)).toEqual(words(answer!))
  }
})

test.each(everyRun())(
  'greedy takes the largest logit, and of equals the smallest id ($isa, $threads threads)',
  (run) => {
    for (const vocab of [1, 2, 15, 16, 17, 63, 64, 65, 1000, 49152]) {
      const rows: Row[] = Array.from({ length: 5 }, () => {
        const logits = random.normals(vocab)
        const best = [random.integer(0, vocab - 1), random.integer(0, vocab - 1)]
        for (const id of best) logits[id] = 9
        return { logits, slot: 0, position: 3 }
      })
      const got = sample([{ temperature: 0 }], rows, run)
      expect([...got.id]).toEqual(rows.map(({ logits }) => logits.indexOf(Math.max(...logits.slice(0, vocab)))))
      expect([...got.logprob]).toEqual(rows.map(() => 0))
    }
  },
)

const samplers: Slot[] = [
  { temperature: 1 },
  { temperature: 0.7 },
  { temperature: 1.5, topK: 7 },
  { temperature: 1, topP: 0.8 },
  { temperature: 0.9, topK: 20, topP: 0.7 },
  { temperature: 1, minP: 0.08 },
  { temperature: 1.2, topK: 30, topP: 0.95, minP: 0.02 },
  {
    temperature: 1,
    bias: [
      [3, 2],
      [5, -50],
    ],
    repetitionPenalty: 1.3,
    prompt: [1, 4, 9],
    counts: [
      [4, 2],
      [7, 1],
    ],
  },
  {
    temperature: 1,
    frequencyPenalty: 0.5,
    presencePenalty: 0.3,
    counts: [
      [2, 3],
      [11, 1],
    ],
    topP: 0.9,
  },
]

test.each(samplers)('draws follow the distribution of %o', (sampler) => {
  const logits = random.normals(40, 1.5)
  const expected = distribution(logits, sampler)
  const draws = 6000
  // Counts change as tokens are drawn, so every draw has a slot of its own.
  const slots = Array.from({ length: draws }, () => ({ ...sampler, seed: random.integer(0, 2 ** 31) }))
  const rows = slots.map((_, slot) => ({ logits, slot, position: random.integer(0, 5000) }))
  const { id } = sample(slots, rows, { isa: random.pick(isas), threads: 2 })
  const seen = new Map<number, number>()
  for (const one of id) seen.set(one, (seen.get(one) ?? 0) + 1)
  for (const one of seen.keys()) expect(expected.has(one), `id ${one} was filtered out`).toBe(true)
  let chiSquare = 0
  let rest = 0
  let restSeen = 0
  let cells = -1
  for (const [one, p] of expected) {
    if (p * draws < 8) {
      rest += p * draws
      restSeen += seen.get(one) ?? 0
      continue
    }
    chiSquare += ((seen.get(one) ?? 0) - p * draws) ** 2 / (p * draws)
    cells++
  }
  if (rest > 0) {
    chiSquare += (restSeen - rest) ** 2 / Math.max(rest, 1)
    cells++
  }
  // Wilson and Hilferty's normal approximation; 5 standard deviations are one false alarm in three million.
  const z = cells > 0 ? (Math.cbrt(chiSquare / cells) - (1 - 2 / (9 * cells))) / Math.sqrt(2 / (9 * cells)) : 0
  expect(z).toBeLessThan(5)
})

test.each(isas)('filters keep exactly the tokens that sorting the vocabulary would keep (%s)', (isa) => {
  for (let round = 0; round < 12; round++) {
    const vocab = random.pick([50, 1000, 5000])
    const flat = random.pick([true, false])
    const logits = random.normals(vocab, flat ? 0.01 : 3)
    for (let i = 0; i < vocab / 10; i++) logits[random.integer(0, vocab - 1)] = logits[random.integer(0, vocab - 1)]!
    const sampler = {
      temperature: random.pick([0.3, 1, 2]),
      topK: random.pick([0, 0, 1, 5, 40, 900]),
      topP: random.pick([1, 0.1, 0.5, 0.9, 0.99]),
      minP: random.pick([0, 0, 0.05, 0.5]),
    }
    const expected = distribution(logits, sampler)
    const rows = Array.from({ length: 300 }, (_, position) => ({ logits, slot: 0, position }))
    const { id } = sample([{ ...sampler, seed: round }], rows, { isa, threads: 2 })
    for (const one of id) if (!expected.has(one)) expect.fail(`${JSON.stringify(sampler)} of ${vocab}: drew ${one}`)
    if (expected.size === 1) expect(new Set(id).size).toBe(1)
    if (expected.size > 1 && Math.max(...expected.values()) < 0.9) expect(new Set(id).size).toBeGreaterThan(1)
  }
})

test('a draw is a function of seed and position, whatever shares the step', () => {
  const vocab = 2000
  const slots = Array.from({ length: 6 }, (_, i) => ({ temperature: 1, topP: i % 2 ? 0.9 : 1, seed: 100 + i }))
  const rows: Row[] = Array.from({ length: 24 }, (_, i) => ({
    logits: random.normals(vocab),
    slot: i % 6,
    position: random.integer(0, 1e6),
  }))
  for (const isa of isas) {
    const together = sample(slots, rows, { isa, threads: 3 }).id
    const alone = rows.map((row) => sample(slots, [row], { isa, threads: 1 }).id[0])
    expect([...together]).toEqual(alone)
    const later = sample(
      slots,
      rows.map((row) => ({ ...row, position: row.position + 1 })),
      { isa, threads: 1 },
    ).id
    expect([...later]).not.toEqual(alone)
    const reseeded = slots.map((slot) => ({ ...slot, seed: slot.seed + 1 }))
    expect([...sample(reseeded, rows, { isa, threads: 1 }).id]).not.toEqual(alone)
  }
})

test.each(everyRun())('log-probabilities are those of the raw logits ($isa, $threads threads)', (run) => {
  const vocab = random.pick([7, 100, 5001])
  const rows: Row[] = Array.from({ length: 4 }, (_, i) => ({
    logits: random.normals(vocab, 4),
    slot: i,
    position: i,
    target: i === 3 ? random.integer(0, vocab - 1) : -1,
  }))
  const slots: Slot[] = [
    { temperature: 0, topLogprobs: 5 },
    { temperature: 2, topK: 5, topLogprobs: 0, bias: [[1, 6]], stopTokens: [1, 2, 3, 4, 5] },
    { temperature: 1, repetitionPenalty: 2, prompt: [0, 1, 2], topLogprobs: 20 },
    { temperature: 1, topLogprobs: 3 },
  ]
  const got = sample(slots, rows, run)
  rows.forEach((row, i) => {
    const exact = logSoftmax(row.logits)
    const id = got.id[i]!
    if (row.target !== -1) expect(id).toBe(row.target)
    expect(got.logprob[i]!).toBeCloseTo(exact[id]!, 4)
    expect(got.stop[i]).toBe(slots[i]!.stopTokens?.includes(id) ? 1 : 0)
    const order = [...exact.keys()].sort((a, b) => exact[b]! - exact[a]! || a - b)
    const n = Math.min(slots[i]!.topLogprobs!, vocab)
    expect(got.topCount[i]).toBe(n)
    expect([...got.topId.subarray(i * maxTop, i * maxTop + n)]).toEqual(order.slice(0, n))
    for (let k = 0; k < n; k++) expect(got.topLogprob[i * maxTop + k]!).toBeCloseTo(exact[order[k]!]!, 4)
  })
  expect([...got.lastSampled.subarray(0, 3)]).toEqual([...got.id.subarray(0, 3)])
  expect(got.lastSampled[3]).toBe(-1) // scored, not sampled
})

test('penalties change what greedy takes, and generated tokens are counted', () => {
  for (const isa of isas) {
    for (let round = 0; round < 20; round++) {
      const logits = random.normals(12, 2)
      const slot: Slot = {
        temperature: 0,
        repetitionPenalty: random.pick([1, 1.5, 0.8]),
        frequencyPenalty: random.pick([0, 0.7]),
        presencePenalty: random.pick([0, 1.1]),
        prompt: [0, 3, 4],
        counts: [
          [3, 2],
          [8, 1],
        ],
        bias: [[5, random.pick([-1, 2])]],
      }
      const adjusted = adjust(logits, slot)
      const got = sample([slot], [{ logits, slot: 0, position: 9 }], { isa, threads: 1 })
      expect(got.id[0]).toBe(adjusted.indexOf(Math.max(...adjusted)))
      const counts = new Map(slot.counts)
      const penalised = slot.repetitionPenalty !== 1 || slot.frequencyPenalty !== 0 || slot.presencePenalty !== 0
      if (penalised) counts.set(got.id[0]!, (counts.get(got.id[0]!) ?? 0) + 1)
      expect(got.counts[0]).toEqual([...counts].sort((a, b) => a[0] - b[0]).flat())
    }
  }
})

test.each(everyRun())('NaN and infinite logits give some id and no crash ($isa, $threads threads)', (run) => {
  const slots: Slot[] = [
    { temperature: 0, topLogprobs: 20 },
    { temperature: 1, topLogprobs: 3 },
    { temperature: 1, topP: 0.5, topK: 3, minP: 0.1 },
    { temperature: 1, minP: 0.5 },
  ]
  for (const vocab of [1, 33, 3000]) {
    for (const fill of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const whole = new Float32Array(vocab).fill(fill)
      const some = random.normals(vocab)
      for (let i = 0; i < vocab; i += 3) some[i] = fill
      const rows = slots.flatMap((_, slot) => [whole, some].map((logits) => ({ logits, slot, position: 1 })))
      const { id } = sample(slots, rows, run)
      for (const one of id) expect(one >= 0 && one < vocab).toBe(true)
      // Only numbers are ever chosen where there are any.
      if (!(fill > 0) && vocab > 1)
        rows.forEach((row, i) => {
          if (row.logits === some) expect(some[id[i]!]).not.toBe(fill)
        })
    }
  }
})

import { expect, test } from 'vitest'
import { everyRun, f32Rows, freshRandom, kernels } from './harness.ts'
import { sequencesOf } from './paged.ts'

const random = freshRandom('pool')

test.each(everyRun())(
  'pool sums a sequence over its steps, or keeps its last token ($isa, $threads threads)',
  (run) => {
    const dim = random.pick([7, 64, 576])
    for (const mean of [true, false]) {
      const old = random.normals(dim)
      const members = [
        { position: 0, tokens: 3, pages: [0] },
        { position: 5, tokens: 2, pages: [1] },
        { position: 5, tokens: 0, pages: [2] },
      ]
      const x = random.normals(5 * dim)
      const slots: { pooled: Float32Array }[] = [2, 0, 1].map(() => ({ pooled: old.slice() }))
      kernels.run(
        'pool',
        { sequences: sequencesOf(members), slot: Int32Array.of(2, 0, 1), x: f32Rows(x, dim), mean, slots },
        run,
      )
      const row = (t: number) => x.subarray(t * dim, (t + 1) * dim)
      const sum = (start: Float32Array, ...tokens: number[]) =>
        tokens.reduce((total, t) => total.map((v, i) => v + row(t)[i]!), start)
      expect(slots[2]!.pooled).toEqual(mean ? sum(new Float32Array(dim), 0, 1, 2) : row(2))
      expect(slots[0]!.pooled).toEqual(mean ? sum(old, 3, 4) : row(4))
      expect(slots[1]!.pooled).toEqual(old)
    }
  },
)

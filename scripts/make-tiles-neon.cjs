// Writes the micro-kernels of the quantised GEMM (native/cpu/gemm.cc) for 64-bit Arm, as scripts/make-tiles.cjs does for
// x86 and with the same arguments: records of w, q, s and acc are described there.
//
//   node scripts/make-tiles-neon.cjs OUTPUT.h
//
// A tile has 16 rows and up to six columns, with all its integer sums in registers:
//   dotprod   sdot takes 4 rows × 4 k from the panel and 4 k of a column from a lane: 16 multiplications
//   i8mm      smmla takes 2 rows × 8 k and 2 columns × 8 k: 32. The panel lies [4][16][8].
//   neon      smlal multiplies into 16 bits, where a lane gets one product every four k: eight of 31 · 127 and four of
//             63 · 127 fit, and of q8_0's 128 · 127 two. Two columns at a time.
// Weights are as they are stored, and q8_0's signed; sums begin at −zero·sum of the activations.
const { writeFileSync } = require('node:fs')

const COLUMNS = 6
const PREFETCHES = 8 // lines a group
const KINDS = ['zero', 'minimum', 'halves', 'bytes']
const ROWS = 16
const D = ROWS * 32 // where the panel's record has d, and after it m or the second half's d

class Tile {
  constructor(kind, columns) {
    Object.assign(this, { kind, columns, lines: [] })
    this.twice = kind === 'minimum' || kind === 'halves'
    this.halves = kind === 'halves' ? [0, 1] : [0]
    this.words = kind === 'halves' ? 3 : 2
  }
  op(text) {
    this.lines.push(...text.split('; ')) // Apple's assembler takes the rest of a line for a comment
  }
  // Word `word` of the column record, for column c.
  word(word, c) {
    return `[%[s], #${(word * this.columns + c) * 4}]`
  }
  acc(c, v) {
    return `[%[acc], #${(c * ROWS + v * 4) * 4}]`
  }
  // Halves of 16 k that share sums.
  parts(half) {
    return this.kind === 'halves' ? [half] : [0, 1]
  }
  // Adds sum·(d·scale), and the minimum, to four rows of column c: lane `lane` of v28 is the scale, of v29 scale·sum.
  // Uses v`sum` and two more registers.
  finish(c, v, sum, acc, product, lane) {
    this.op(
      `scvtf v${sum}.4s, v${sum}.4s; fmul v${product}.4s, v${24 + v}.4s, v28.s[${lane}]; ldr q${acc}, ${this.acc(c, v)}`,
    )
    this.op(`fmla v${acc}.4s, v${sum}.4s, v${product}.4s`)
    if (this.kind === 'minimum') {
      this.op(`ldr q${product}, [%[w], #${D + ROWS * 4 + v * 16}]; fmla v${acc}.4s, v${product}.4s, v29.s[${lane}]`)
    }
    this.op(`str q${acc}, ${this.acc(c, v)}`)
  }
  // d of a half in v24 to v27.
  loadScales(half) {
    const at = D + half * ROWS * 4
    this.op(`ldp q24, q25, [%[w], #${at}]; ldp q26, q27, [%[w], #${at + 32}]`)
  }
  text(body) {
    this.op('1:')
    body(this)
    this.op(
      `add %[w], %[w], #${D + ROWS * 4 * (this.twice ? 2 : 1)}; add %[s], %[s], #${this.words * this.columns * 4}`,
    )
    for (let line = 0; line < PREFETCHES; line++) this.op(`prfm pldl2keep, [%[ahead], #${line * 64}]`)
    this.op('add %[ahead], %[ahead], %[step]; subs %[n], %[n], #1; b.ne 1b')
    const columns = Array.from({ length: this.columns }, (_, c) => c)
    const clobbers = Array.from({ length: 32 }, (_, i) => `"v${i}"`)
    return `__attribute__((noinline)) static void tile_${this.kind}_${this.columns}(const uint8_t* w, const void* q, [[maybe_unused]] int64_t stride,
    const void* s, float* acc, int64_t n, const uint8_t* ahead, int64_t step, [[maybe_unused]] int32_t carried) {
  const uint8_t* q0 = static_cast<const uint8_t*>(q);
${columns
  .slice(1)
  .map((c) => `  const uint8_t* q${c} = q0 + ${c} * stride;\n`)
  .join('')}  asm volatile(
${this.lines.map((line) => `      "${line}\\n"`).join('\n')}
      : [w] "+r"(w), [s] "+r"(s), [n] "+r"(n), [ahead] "+r"(ahead), ${columns.map((c) => `[q${c}] "+r"(q${c})`).join(', ')}
      : [acc] "r"(acc), [step] "r"(step)
      : "memory", "cc", ${clobbers.join(', ')});
}
`
  }
}

const four = [0, 1, 2, 3]

// Sums: v(4c + v). Activations v24 to v29, a column each; weights v30 and v31.
function dotprod(t) {
  const columns = Array.from({ length: t.columns }, (_, c) => c)
  for (const half of t.halves) {
    for (const c of columns) {
      if (t.kind === 'zero' || t.kind === 'halves') {
        t.op(`ldr s31, ${t.word(1 + half, c)}`)
        for (const v of four) t.op(`dup v${4 * c + v}.4s, v31.s[0]`)
      } else for (const v of four) t.op(`movi v${4 * c + v}.4s, #0`)
    }
    for (const part of t.parts(half)) {
      for (const c of columns) t.op(`ldr q${24 + c}, [%[q${c}]], #16`)
      for (const step of four) {
        for (const v of [0, 2]) {
          t.op(`ldp q30, q31, [%[w], #${(part * 4 + step) * ROWS * 4 + v * 16}]`)
          for (const c of columns)
            for (const i of [0, 1]) t.op(`sdot v${4 * c + v + i}.4s, v${30 + i}.16b, v${24 + c}.4b[${step}]`)
        }
      }
    }
    t.loadScales(half)
    for (const c of columns) {
      t.op(`ldr s28, ${t.word(0, c)}`)
      if (t.kind === 'minimum') t.op(`ldr s29, ${t.word(1, c)}`)
      for (const v of four) t.finish(c, v, 4 * c + v, 30, 31, 0)
    }
  }
}

// Sums of a pair of columns p and a pair of rows r: v(8p + r), as [row][column].
function i8mm(t) {
  const pairs = Array.from({ length: Math.ceil(t.columns / 2) }, (_, p) => p)
  const single = (p) => 2 * p + 1 === t.columns
  const eight = [...four, 4, 5, 6, 7]
  for (const half of t.halves) {
    for (const p of pairs) {
      if (t.kind === 'zero' || t.kind === 'halves') {
        t.op(single(p) ? `ldr s31, ${t.word(1 + half, 2 * p)}` : `ldur d31, ${t.word(1 + half, 2 * p)}`)
        for (const r of eight) t.op(`dup v${8 * p + r}.2d, v31.d[0]`)
      } else for (const r of eight) t.op(`movi v${8 * p + r}.4s, #0`)
    }
    for (const part of t.parts(half)) {
      const free = [24, 25, 26, 27, 28, 29, 30, 31]
      const x = pairs.map((p) => {
        const [a, b] = [free.shift(), free.shift()]
        t.op(`ldr q${a}, [%[q${2 * p}]], #16`)
        if (single(p)) {
          t.op(`dup v${b}.2d, v${a}.d[1]; dup v${a}.2d, v${a}.d[0]`)
          return [a, b]
        }
        const first = free.shift()
        t.op(`ldr q${b}, [%[q${2 * p + 1}]], #16`)
        t.op(`zip1 v${first}.2d, v${a}.2d, v${b}.2d; zip2 v${b}.2d, v${a}.2d, v${b}.2d`)
        free.unshift(a)
        return [first, b]
      })
      for (const step of [0, 1]) {
        for (const r of [0, 2, 4, 6]) {
          t.op(`ldp q${free[0]}, q${free[1]}, [%[w], #${(part * 2 + step) * ROWS * 8 + r * 16}]`)
          for (const p of pairs)
            for (const i of [0, 1]) t.op(`smmla v${8 * p + r + i}.4s, v${free[i]}.16b, v${x[p][step]}.16b`)
        }
      }
    }
    t.loadScales(half)
    for (const p of pairs) {
      const load = single(p) ? 'ldr s' : 'ldur d'
      t.op(`${load}28, ${t.word(0, 2 * p)}`)
      if (t.kind === 'minimum') t.op(`${load}29, ${t.word(1, 2 * p)}`)
      for (const v of four) {
        const [low, high] = [8 * p + 2 * v, 8 * p + 2 * v + 1]
        t.op(`uzp1 v30.4s, v${low}.4s, v${high}.4s; uzp2 v${high}.4s, v${low}.4s, v${high}.4s`)
        t.finish(2 * p, v, 30, low, 31, 0)
        if (!single(p)) t.finish(2 * p + 1, v, high, low, 31, 1)
      }
    }
  }
}

// A column's sums in 16 bits: v(8i + …), two registers for four rows.
function neon(t) {
  for (const half of t.halves) {
    for (let c = 0; c < t.columns; ) {
      const width = t.kind !== 'bytes' && c + 1 < t.columns ? 2 : 1
      const columns = width === 2 ? [c, c + 1] : [c]
      if (t.kind === 'bytes') bytesOf(t, c)
      else
        for (const part of t.parts(half)) {
          for (const i of columns.keys()) t.op(`ldr q${16 + i}, [%[q${c + i}]], #16`)
          for (const step of four) {
            const first = part === t.parts(half)[0] && step === 0
            const at = (part * 4 + step) * ROWS * 4
            t.op(`ldp q20, q21, [%[w], #${at}]; ldp q22, q23, [%[w], #${at + 32}]`)
            for (const i of columns.keys()) {
              t.op(`dup v${18 + i}.4s, v${16 + i}.s[${step}]`)
              for (const v of four) {
                const [sum, w] = [8 * i + 2 * v, 20 + v]
                t.op(`${first ? 'smull' : 'smlal'} v${sum}.8h, v${w}.8b, v${18 + i}.8b`)
                t.op(`${first ? 'smull2' : 'smlal2'} v${sum + 1}.8h, v${w}.16b, v${18 + i}.16b`)
              }
            }
          }
        }
      t.loadScales(half)
      for (const i of columns.keys()) {
        t.op(`ldr s28, ${t.word(0, c + i)}`)
        if (t.kind !== 'bytes') t.op(`ldr s29, ${t.word(1 + half, c + i)}; dup v23.4s, v29.s[0]`)
        for (const v of four) {
          const sum = 8 * i + 2 * v
          if (t.kind !== 'bytes') t.op(`saddlp v${sum}.4s, v${sum}.8h; saddlp v${sum + 1}.4s, v${sum + 1}.8h`)
          t.op(`addp v${sum}.4s, v${sum}.4s, v${sum + 1}.4s`)
          if (t.kind === 'zero' || t.kind === 'halves') t.op(`add v${sum}.4s, v${sum}.4s, v23.4s`)
          t.finish(c + i, v, sum, 30, 31, 0)
        }
      }
      c += width
    }
  }
}

// One column of q8_0: 16 bits hold two products, so the sums v0 to v7 have 32.
function bytesOf(t, c) {
  for (let v = 0; v < 8; v++) t.op(`movi v${v}.4s, #0`)
  t.op(`ldp q16, q17, [%[q${c}]], #32`)
  for (let step = 0; step < 8; step += 2) {
    const [x, lane] = [16 + (step >> 2), step & 3]
    t.op(`dup v18.4s, v${x}.s[${lane}]; dup v19.4s, v${x}.s[${lane + 1}]`)
    for (const v of four) {
      const at = step * ROWS * 4 + v * 16
      t.op(`ldr q20, [%[w], #${at}]; ldr q21, [%[w], #${at + ROWS * 4}]`)
      t.op('smull v22.8h, v20.8b, v18.8b; smull2 v23.8h, v20.16b, v18.16b')
      t.op('smlal v22.8h, v21.8b, v19.8b; smlal2 v23.8h, v21.16b, v19.16b')
      t.op(`sadalp v${2 * v}.4s, v22.8h; sadalp v${2 * v + 1}.4s, v23.8h`)
    }
  }
}

const widths = Array.from({ length: COLUMNS }, (_, i) => i + 1)
function family(make) {
  return KINDS.flatMap((kind) => widths.map((columns) => new Tile(kind, columns).text(make))).join('\n')
}

const table = KINDS.map((kind) => `    {${widths.map((columns) => `tile_${kind}_${columns}`).join(', ')}},`)
writeFileSync(
  process.argv[2],
  `// Written by scripts/make-tiles-neon.cjs, which explains it.
#pragma once

#include <cstdint>

namespace kvasir::cpu::KVASIR_ISA {

using TileFunction = void (*)(const uint8_t* w, const void* q, int64_t stride, const void* s, float* acc, int64_t n,
                              const uint8_t* ahead, int64_t step, int32_t carried);
static constexpr int kTileColumns = ${COLUMNS};

#if KVASIR_NEON
enum Kind { ${KINDS.map((kind) => `k_${kind}`).join(', ')} };

#if KVASIR_ISA_i8mm
${family(i8mm)}
#elif KVASIR_ISA_dotprod
${family(dotprod)}
#else
${family(neon)}
#endif

static const TileFunction kTiles[][${COLUMNS}] = {\n${table.join('\n')}\n};
#endif

}  // namespace kvasir::cpu::KVASIR_ISA
`,
)

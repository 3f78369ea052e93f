// Writes the micro-kernels of the quantised GEMM (native/cpu/gemm.cc) as inline assembly with fixed registers, because
// gcc spills the accumulators of the same tiles written with intrinsics and loses 40 % of their speed.
//
//   node scripts/make-tiles.cjs OUTPUT.h
//
// A tile is ROWS rows × `columns` columns. It adds `groups` groups of 32 to float sums acc[column][ROWS].
//   w       panel: a record a group: bytes [8][ROWS][4], d [ROWS] f32, and m or the second half's d [ROWS] f32.
//           In the wide kind the weights are int16, [16][ROWS][2].
//   q       activations of column 0, `stride` bytes from one column to the next (int16 in the wide kind)
//   s       a record a group: scale [columns] f32, then what the kind adds: −zero·sum i32 of the group (zero), of its
//           two halves (halves), or scale·sum f32 (minimum)
//   carried −1, or 0 where the sums begin at 0 whatever acc holds; AVX-512 alone asks
//   ahead   weights that are wanted next: eight lines are asked for a group, `step` bytes on each time. Asked for at once,
//           they would fill the queue of misses and hold up the multiplication.
const { writeFileSync } = require('node:fs')

const COLUMNS = 6
const PREFETCHES = 8 // a group

// Instructions of one tile, gathered as text in AT&T order.
class Tile {
  constructor(isa, kind, columns) {
    Object.assign(this, { kind, columns, lines: [] })
    this.rows = isa === 'avx512' ? 32 : 16
    this.bytes = isa === 'avx512' ? 64 : 32
    this.register = isa === 'avx512' ? 'zmm' : 'ymm'
    this.name = `tile_${kind}_${columns}`
    const data = this.rows * (kind === 'wide' ? 64 : 32)
    this.d = [data, data + this.rows * 4]
    this.record = data + this.rows * 4 * (kind.endsWith('minimum') || kind === 'halves' ? 2 : 1)
  }
  op(text) {
    this.lines.push(text)
  }
  reg(i) {
    return `%%${this.register}${i}`
  }
  // Integer sums of column c in row vector v.
  sum(c, v) {
    return this.reg(2 * c + v)
  }
  activation(c, offset) {
    const base = c < 3 ? '%[q]' : '%[q3]'
    return [`${offset}(${base})`, `${offset}(${base},%[stride])`, `${offset}(${base},%[stride],2)`][c % 3]
  }
  // Word `word` of the column record, for column c.
  word(word, c) {
    return `${(word * this.columns + c) * 4}(%[s])`
  }
  each(visit) {
    for (let c = 0; c < this.columns; c++) for (let v = 0; v < 2; v++) visit(c, v)
  }
  // After step k of `steps` of a group.
  prefetch(k, steps) {
    const each = steps / PREFETCHES
    if ((k + 1) % each === 0) this.op(`prefetcht1 ${((k + 1) / each - 1) * 64}(%[ahead])`)
  }
  advance() {
    const words = { halves: 3, wide: 1 }[this.kind] ?? 2
    this.op(`add $${this.record}, %[w]; add $${this.kind === 'wide' ? 64 : 32}, %[q]`)
    if (this.columns > 3) this.op(`add $${this.kind === 'wide' ? 64 : 32}, %[q3]`)
    this.op(`add %[step], %[ahead]; add $${words * this.columns * 4}, %[s]; dec %[n]; jnz 1b`)
  }
  // The C++ function around the instructions.
  text() {
    const clobbers = Array.from({ length: this.bytes === 64 ? 32 : 16 }, (_, i) => `"xmm${i}"`)
    if (this.bytes === 64) clobbers.push('"k1"')
    return `__attribute__((noinline)) static void ${this.name}(const uint8_t* w, const void* q, int64_t stride, const void* s,
    float* acc, int64_t n, const uint8_t* ahead, int64_t step, [[maybe_unused]] int32_t carried) {
  const char* q3 = static_cast<const char*>(q) + 3 * stride;
  alignas(64) int32_t spill[${this.columns * 16}];
  asm volatile(
${this.lines.map((line) => `      "${line}\\n"`).join('\n')}
      : [w] "+r"(w), [q] "+r"(q), [q3] "+r"(q3), [s] "+r"(s), [n] "+r"(n), [ahead] "+r"(ahead)
      : [step] "r"(step), [stride] "r"(stride), [acc] "r"(acc), [spill] "r"(spill), [carried] "r"(carried)
      : "memory", "cc", ${clobbers.join(', ')});
}
`
  }
}

// AVX-512 VNNI, 32 rows: integer sums in zmm0–11, float sums in zmm12–23.
function avx512(kind, columns) {
  const t = new Tile('avx512', kind, columns)
  const float = (c, v) => t.reg(12 + 2 * c + v)
  const halves = kind === 'halves' ? 2 : 1
  t.op('kmovw %[carried], %%k1')
  t.each((c, v) => t.op(`vmovups ${(c * 2 + v) * 64}(%[acc]), ${float(c, v)}%{%%k1%}%{z%}`))
  t.op('1:')
  for (let half = 0; half < halves; half++) {
    t.each((c, v) => {
      if (kind === 'minimum') t.op(`vpxord ${t.sum(c, v)}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
      else if (v === 0) t.op(`vpbroadcastd ${t.word(1 + half, c)}, ${t.sum(c, 0)}`)
      else t.op(`vmovdqa64 ${t.sum(c, 0)}, ${t.sum(c, 1)}`)
    })
    for (let k = (half * 8) / halves; k < ((half + 1) * 8) / halves; k++) {
      for (let v = 0; v < 2; v++) t.op(`vmovdqa64 ${k * 128 + v * 64}(%[w]), ${t.reg(24 + v)}`)
      for (let c = 0; c < columns; c++) {
        const x = t.reg(26 + (c % 2))
        t.op(`vpbroadcastd ${t.activation(c, k * 4)}, ${x}`)
        for (let v = 0; v < 2; v++) t.op(`vpdpbusd ${x}, ${t.reg(24 + v)}, ${t.sum(c, v)}`)
      }
      t.prefetch(k, 8)
    }
    for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.d[half] + v * 64}(%[w]), ${t.reg(24 + v)}`)
    if (kind === 'minimum') for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.d[1] + v * 64}(%[w]), ${t.reg(30 + v)}`)
    for (let c = 0; c < columns; c++) {
      t.op(`vbroadcastss ${t.word(0, c)}, ${t.reg(26)}`)
      for (let v = 0; v < 2; v++) {
        t.op(`vcvtdq2ps ${t.sum(c, v)}, ${t.sum(c, v)}; vmulps ${t.reg(26)}, ${t.reg(24 + v)}, ${t.reg(28 + v)}`)
        t.op(`vfmadd231ps ${t.reg(28 + v)}, ${t.sum(c, v)}, ${float(c, v)}`)
        if (kind === 'minimum') t.op(`vfmadd231ps ${t.word(1, c)}%{1to16%}, ${t.reg(30 + v)}, ${float(c, v)}`)
      }
    }
  }
  t.advance()
  t.each((c, v) => t.op(`vmovups ${float(c, v)}, ${(c * 2 + v) * 64}(%[acc])`))
  return t.text()
}

// AVX2, 16 rows: sums in ymm0–11, in 16 bits for as many steps as cannot overflow, then in 32; float sums in memory.
const DEPTH = { u4_zero: 8, u4_minimum: 8, u5_zero: 4, u5_minimum: 4, halves: 2, wide: 16 }

function avx2(kind, columns) {
  const t = new Tile('avx2', kind, columns)
  const [w, x, product] = [[t.reg(12), t.reg(13)], t.reg(14), t.reg(15)]
  const [multiply, add] = kind === 'wide' ? ['vpmaddwd', 'vpaddd'] : ['vpmaddubsw', 'vpaddw']
  const steps = kind === 'wide' ? 16 : 8
  const halves = kind === 'halves' ? 2 : 1
  t.op('1:')
  for (let half = 0; half < halves; half++) {
    const begin = (half * steps) / halves
    const end = begin + steps / halves
    for (let k = begin; k < end; k++) {
      for (let v = 0; v < 2; v++) t.op(`vmovdqa ${k * 64 + v * 32}(%[w]), ${w[v]}`)
      for (let c = 0; c < columns; c++) {
        t.op(`vpbroadcastd ${t.activation(c, k * 4)}, ${x}`)
        for (let v = 0; v < 2; v++) {
          if (k % DEPTH[kind] === 0) t.op(`${multiply} ${x}, ${w[v]}, ${t.sum(c, v)}`)
          else {
            t.op(`${multiply} ${x}, ${w[v]}, ${v ? x : product}`)
            t.op(`${add} ${v ? x : product}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
          }
        }
      }
      t.prefetch(k, steps)
      if (kind === 'wide' || (k + 1) % DEPTH[kind] !== 0) continue
      t.op(`vpcmpeqw ${product}, ${product}, ${product}; vpsrlw $15, ${product}, ${product}`)
      t.each((c, v) => {
        const spill = `${(c * 2 + v) * 32}(%[spill])`
        t.op(`vpmaddwd ${product}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
        if (k + 1 - DEPTH[kind] > begin) t.op(`vpaddd ${spill}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
        if (k + 1 < end) t.op(`vmovdqa ${t.sum(c, v)}, ${spill}`)
      })
    }
    for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.d[half] + v * 32}(%[w]), ${w[v]}`)
    for (let c = 0; c < columns; c++) {
      if (kind === 'halves' || kind.endsWith('zero')) {
        t.op(`vpbroadcastd ${t.word(1 + half, c)}, ${x}`)
        for (let v = 0; v < 2; v++) t.op(`vpaddd ${x}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
      }
      t.op(`vbroadcastss ${t.word(0, c)}, ${x}; vmulps ${x}, ${w[1]}, ${product}; vmulps ${x}, ${w[0]}, ${x}`)
      for (let v = 0; v < 2; v++) {
        t.op(`vcvtdq2ps ${t.sum(c, v)}, ${t.sum(c, v)}`)
        t.op(`vfmadd213ps ${(c * 2 + v) * 32}(%[acc]), ${v ? product : x}, ${t.sum(c, v)}`)
      }
      if (kind.endsWith('minimum')) {
        t.op(`vbroadcastss ${t.word(1, c)}, ${x}`)
        for (let v = 0; v < 2; v++) t.op(`vfmadd231ps ${t.d[1] + v * 32}(%[w]), ${x}, ${t.sum(c, v)}`)
      }
      for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.sum(c, v)}, ${(c * 2 + v) * 32}(%[acc])`)
    }
  }
  t.advance()
  return t.text()
}

// AVX-VNNI, 16 rows: integer sums in ymm0–11, float sums in memory.
function avxvnni(kind, columns) {
  const t = new Tile('avxvnni', kind, columns)
  const [w, x, product] = [[t.reg(12), t.reg(13)], t.reg(14), t.reg(15)]
  const halves = kind === 'halves' ? 2 : 1
  t.op('1:')
  for (let half = 0; half < halves; half++) {
    t.each((c, v) => {
      if (kind === 'minimum') t.op(`vpxor ${t.sum(c, v)}, ${t.sum(c, v)}, ${t.sum(c, v)}`)
      else if (v === 0) t.op(`vpbroadcastd ${t.word(1 + half, c)}, ${t.sum(c, 0)}`)
      else t.op(`vmovdqa ${t.sum(c, 0)}, ${t.sum(c, 1)}`)
    })
    for (let k = (half * 8) / halves; k < ((half + 1) * 8) / halves; k++) {
      for (let v = 0; v < 2; v++) t.op(`vmovdqa ${k * 64 + v * 32}(%[w]), ${w[v]}`)
      for (let c = 0; c < columns; c++) {
        const column = c % 2 ? product : x
        t.op(`vpbroadcastd ${t.activation(c, k * 4)}, ${column}`)
        for (let v = 0; v < 2; v++) t.op(`%{vex%} vpdpbusd ${column}, ${w[v]}, ${t.sum(c, v)}`)
      }
      t.prefetch(k, 8)
    }
    for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.d[half] + v * 32}(%[w]), ${w[v]}`)
    for (let c = 0; c < columns; c++) {
      t.op(`vbroadcastss ${t.word(0, c)}, ${x}; vmulps ${x}, ${w[1]}, ${product}; vmulps ${x}, ${w[0]}, ${x}`)
      for (let v = 0; v < 2; v++) {
        t.op(`vcvtdq2ps ${t.sum(c, v)}, ${t.sum(c, v)}`)
        t.op(`vfmadd213ps ${(c * 2 + v) * 32}(%[acc]), ${v ? product : x}, ${t.sum(c, v)}`)
      }
      if (kind === 'minimum') {
        t.op(`vbroadcastss ${t.word(1, c)}, ${x}`)
        for (let v = 0; v < 2; v++) t.op(`vfmadd231ps ${t.d[1] + v * 32}(%[w]), ${x}, ${t.sum(c, v)}`)
      }
      for (let v = 0; v < 2; v++) t.op(`vmovaps ${t.sum(c, v)}, ${(c * 2 + v) * 32}(%[acc])`)
    }
  }
  t.advance()
  return t.text()
}

function family(make, kinds) {
  const widths = Array.from({ length: COLUMNS }, (_, i) => i + 1)
  const functions = kinds.flatMap((kind) => widths.map((columns) => make(kind, columns)))
  const table = kinds.map((kind) => `    {${widths.map((columns) => `tile_${kind}_${columns}`).join(', ')}},`)
  const names = kinds.map((kind) => `k_${kind}`).join(', ')
  return `enum Kind { ${names} };\n\n${functions.join('\n')}
static const TileFunction kTiles[][${COLUMNS}] = {\n${table.join('\n')}\n};\n`
}

writeFileSync(
  process.argv[2],
  `// Written by scripts/make-tiles.cjs, which explains it.
#pragma once

#include <cstdint>

namespace kvasir::cpu::KVASIR_ISA {

using TileFunction = void (*)(const uint8_t* w, const void* q, int64_t stride, const void* s, float* acc, int64_t n,
                              const uint8_t* ahead, int64_t step, int32_t carried);
static constexpr int kTileColumns = ${COLUMNS};

#if defined(__AVX512VNNI__)
${family(avx512, ['zero', 'minimum', 'halves'])}
#elif defined(__AVXVNNI__)
${family(avxvnni, ['zero', 'minimum', 'halves'])}
#elif defined(__AVX2__)
${family(avx2, Object.keys(DEPTH))}
#endif

}  // namespace kvasir::cpu::KVASIR_ISA
`,
)

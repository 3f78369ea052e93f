// Sixteen f32 or i32 lanes, on every instruction set: one register of AVX-512, two of AVX2, four of NEON or the baseline.
// Kernels are written once over them, so sums and their trees have one order everywhere.
//
// max(a, b) and min(a, b) give b when either is NaN. Everything is inlined and nothing has linkage: a symbol shared
// between the libraries of two instruction sets would let the linker put AVX code into the baseline.
#pragma once

#include <cstdint>

#define KV_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

#define KV_INLINE_MEMBER inline __attribute__((always_inline))
#define KV_LAMBDA __attribute__((always_inline))

#if KVASIR_ISA_avx512
#include "native/cpu/vec_avx512.h"
#elif KVASIR_ISA_avx2 || KVASIR_ISA_avxvnni
#include "native/cpu/vec_avx2.h"
#elif KVASIR_NEON
#include "native/cpu/vec_neon.h"
#else
#include "native/cpu/vec_baseline.h"
#endif

namespace kvasir::cpu::KVASIR_ISA {

constexpr int kLanes = 16;
constexpr float kInfinity = __builtin_inff();

alignas(64) constexpr int32_t kIota[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The first n lanes from memory, zeros after; and back. Whole vectors take the short way.
KV_INLINE f32x16 load(const float* p, int64_t n) {
  if (n >= kLanes) return load(p);
  alignas(64) float lane[kLanes] = {};
  for (int i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
KV_INLINE void store(float* p, f32x16 v, int64_t n) {
  if (n >= kLanes) return store(p, v);
  alignas(64) float lane[kLanes];
  store(lane, v);
  for (int i = 0; i < n; ++i) p[i] = lane[i];
}

KV_INLINE f32x16 load_f16(const uint16_t* p, int64_t n) {
  if (n >= kLanes) return load_f16(p);
  alignas(32) uint16_t lane[kLanes] = {};
  for (int i = 0; i < n; ++i) lane[i] = p[i];
  return load_f16(lane);
}
KV_INLINE f32x16 load_s8(const int8_t* p, int64_t n) {
  if (n >= kLanes) return load_s8(p);
  alignas(16) int8_t lane[kLanes] = {};
  for (int i = 0; i < n; ++i) lane[i] = p[i];
  return load_s8(lane);
}

// Lanes begin ≤ i < end.
KV_INLINE mask16 lane_range(int begin, int end) {
  const i32x16 lane = load(kIota);
  return and_(less(set1(int32_t{begin - 1}), lane), less(lane, set1(int32_t{end})));
}

KV_INLINE f32x16 absolute(f32x16 v) { return from_bits(and_(bits(v), set1(int32_t{0x7FFFFFFF}))); }

// The tree: lanes 8 apart, 4, 2, 1.
KV_INLINE float reduce_add(f32x16 v) {
  v = add(v, fold8(v));
  v = add(v, fold4(v));
  v = add(v, fold2(v));
  return first(add(v, swap_pairs(v)));
}
KV_INLINE float reduce_max(f32x16 v) {
  v = max(v, fold8(v));
  v = max(v, fold4(v));
  v = max(v, fold2(v));
  return first(max(v, swap_pairs(v)));
}
KV_INLINE i32x16 fold8(i32x16 v) { return bits(fold8(from_bits(v))); }
KV_INLINE i32x16 fold4(i32x16 v) { return bits(fold4(from_bits(v))); }
KV_INLINE i32x16 fold2(i32x16 v) { return bits(fold2(from_bits(v))); }
KV_INLINE i32x16 swap_pairs(i32x16 v) { return bits(swap_pairs(from_bits(v))); }
KV_INLINE int32_t reduce_add(i32x16 v) {
  v = add(v, fold8(v));
  v = add(v, fold4(v));
  v = add(v, fold2(v));
  return first(add(v, swap_pairs(v)));
}
// max|x| in the order of their bits, so that NaN is the largest of all and reaches the result.
KV_INLINE float reduce_absolute_max(i32x16 v) {
  v = max(v, fold8(v));
  v = max(v, fold4(v));
  v = max(v, fold2(v));
  return __builtin_bit_cast(float, first(max(v, swap_pairs(v))));
}

// e^x for x ≤ 88, at most 2 ulp off; 0 below −87.33. x = n·ln 2 + r with ln 2 in two parts (Cody and Waite), a
// polynomial of degree 7 for e^r, and n added to the exponent. The polynomial is that of Cephes' expf. Several vectors
// side by side: the chain of one is long.
template <int count>
KV_INLINE void exp_of_negative(f32x16 (&x)[count]) {
  constexpr float kRound = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer, kept in the low bits
  constexpr float kPolynomial[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                                   5.0000001201e-1f};
  mask16 vanishes[count];
  f32x16 shifted[count], r[count], p[count];
#define KV_EACH _Pragma("GCC unroll 16") for (int i = 0; i < count; ++i)
  KV_EACH vanishes[i] = less(x[i], set1(-87.33f));
  KV_EACH x[i] = max(set1(-87.33f), x[i]);
  KV_EACH shifted[i] = fma(x[i], set1(1.44269504f), set1(kRound));
  KV_EACH r[i] = fma(sub(shifted[i], set1(kRound)), set1(-0.693359375f), x[i]);
  KV_EACH r[i] = fma(sub(shifted[i], set1(kRound)), set1(2.12194440e-4f), r[i]);
  KV_EACH p[i] = set1(1.9875691500e-4f);
#pragma GCC unroll 5
  for (const float term : kPolynomial) KV_EACH p[i] = fma(p[i], r[i], set1(term));
  KV_EACH p[i] = add(fma(p[i], mul(r[i], r[i]), r[i]), set1(1.0f));
  KV_EACH p[i] = from_bits(add(bits(p[i]), shift_left<23>(sub(bits(shifted[i]), bits(set1(kRound))))));
  KV_EACH x[i] = select(vanishes[i], set1(0.0f), p[i]);
#undef KV_EACH
}
KV_INLINE f32x16 exp_of_negative(f32x16 x) {
  f32x16 one[1] = {x};
  exp_of_negative(one);
  return one[0];
}

// The same for all x, e^88 above 88.
KV_INLINE f32x16 exp(f32x16 x) { return exp_of_negative(min(set1(88.0f), x)); }

constexpr float kLeastQuantised = 1e-35f;  // below it nothing is there, or so little that an inverse would overflow

// The scale of values up to `top` as s8, and its inverse.
struct Quantum {
  float scale, inverse;
};
KV_INLINE Quantum quantum_of(float top) {
  if (top < kLeastQuantised) return {0.0f, 0.0f};
  return {top / 127.0f, 127.0f / top};
}

// Two vectors times `by` to 32 s8; their sum. NaN rounds to the smallest int32: brought to what an s8 holds, or the sum would
// not be that of q.
KV_INLINE int32_t quantize(f32x16 a, f32x16 b, f32x16 by, int8_t* q) {
  const i32x16 least = set1(int32_t{-128});
  const i32x16 low = max(round_i32(mul(a, by)), least), high = max(round_i32(mul(b, by)), least);
  store_s8(q, low);
  store_s8(q + kLanes, high);
  return reduce_add(add(low, high));
}

// Two vectors to 32 s8 with one scale, as native/ops/rows.h describes act8.
KV_INLINE void quantize_group(f32x16 a, f32x16 b, int8_t* q, float* scale, int32_t* sum) {
  const i32x16 size = set1(int32_t{0x7FFFFFFF});
  const Quantum quantum = quantum_of(reduce_absolute_max(max(and_(bits(a), size), and_(bits(b), size))));
  *scale = quantum.scale;
  *sum = quantize(a, b, set1(quantum.inverse), q);
}

struct QuantizedRow {
  float scale;
  int32_t sum;  // Σ q
};

// x[0 … dim) to s8 with one scale (kv8, see native/ops/kv_cache.h). q holds dim rounded up to 16.
KV_INLINE QuantizedRow quantize_row(const float* x, int dim, int8_t* q) {
  const i32x16 size = set1(int32_t{0x7FFFFFFF});
  i32x16 top = set1(int32_t{0});
  for (int i = 0; i < dim; i += kLanes) top = max(top, and_(bits(load(x + i, dim - i)), size));
  const Quantum quantum = quantum_of(reduce_absolute_max(top));
  const f32x16 by = set1(quantum.inverse);
  i32x16 sum = set1(int32_t{0});
  for (int i = 0; i < dim; i += kLanes) {
    const i32x16 rounded = max(round_i32(mul(load(x + i, dim - i), by)), set1(int32_t{-128}));  // as in quantize_group
    store_s8(q + i, rounded);
    sum = add(sum, rounded);
  }
  return {quantum.scale, reduce_add(sum)};
}

}  // namespace kvasir::cpu::KVASIR_ISA
